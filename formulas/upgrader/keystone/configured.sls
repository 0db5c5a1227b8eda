# Keystone's configuration.
{%- from 'upgrader/service.jinja' import configured %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ configured(keystone) }}
