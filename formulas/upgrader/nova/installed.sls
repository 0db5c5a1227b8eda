# Nova's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'upgrader/service.jinja' import installed %}
{%- from 'upgrader/nova/map.jinja' import nova with context %}
{{ installed(nova) }}
