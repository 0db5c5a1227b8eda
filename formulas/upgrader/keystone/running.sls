# Keystone's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'upgrader/service.jinja' import running %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ running(keystone) }}
