# Every phase of heat's upgrade is done. Changes nothing.
{%- from 'upgrader/service.jinja' import verified %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ verified(heat) }}
