# Keystone, installed, configured and running.
{%- from 'upgrader/service.jinja' import whole %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ whole(keystone) }}
