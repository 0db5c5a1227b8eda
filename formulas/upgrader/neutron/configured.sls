# Neutron's configuration.
{%- from 'upgrader/service.jinja' import configured %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ configured(neutron) }}
