# Neutron's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'upgrader/service.jinja' import installed %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ installed(neutron) }}
