# Neutron, installed, configured and running.
{%- from 'upgrader/service.jinja' import whole %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ whole(neutron) }}
