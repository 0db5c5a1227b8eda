# Every phase of glance's upgrade is done. Changes nothing.
{%- from 'upgrader/service.jinja' import verified %}
{%- from 'upgrader/glance/map.jinja' import glance with context %}
{{ verified(glance) }}
