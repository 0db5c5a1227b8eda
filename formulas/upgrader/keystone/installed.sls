# Keystone's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'upgrader/service.jinja' import installed %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ installed(keystone) }}
