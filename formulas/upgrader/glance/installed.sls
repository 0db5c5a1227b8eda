# Glance's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'upgrader/service.jinja' import installed %}
{%- from 'upgrader/glance/map.jinja' import glance with context %}
{{ installed(glance) }}
