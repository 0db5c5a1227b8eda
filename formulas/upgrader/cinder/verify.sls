# Every phase of cinder's upgrade is done. Changes nothing.
{%- from 'upgrader/service.jinja' import verified %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ verified(cinder) }}
