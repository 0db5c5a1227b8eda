# Keystone's databases through the phases of the release path. A phase that is done is passed over.
{%- from 'upgrader/service.jinja' import upgraded %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ upgraded(keystone) }}
