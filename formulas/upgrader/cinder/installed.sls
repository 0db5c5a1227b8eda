# Cinder's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'upgrader/service.jinja' import installed %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ installed(cinder) }}
