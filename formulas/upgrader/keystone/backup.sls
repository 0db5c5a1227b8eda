# Keeps keystone's configuration and keys as they are now, under pillar upgrader:keep:id; databases are upgrader.backup's.
{%- from 'upgrader/service.jinja' import kept with context %}
{%- from 'upgrader/keystone/map.jinja' import tokens, credentials with context %}
{{ kept('keystone', ['/etc/keystone', tokens, credentials]) }}
