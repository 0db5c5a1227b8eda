# Every phase of keystone's upgrade is done. Changes nothing.
{%- from 'upgrader/service.jinja' import verified %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ verified(keystone) }}
