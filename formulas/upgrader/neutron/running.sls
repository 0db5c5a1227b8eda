# Neutron's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'upgrader/service.jinja' import running %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ running(neutron) }}
