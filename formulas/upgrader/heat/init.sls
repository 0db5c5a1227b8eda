# Heat, installed, configured and running.
{%- from 'upgrader/service.jinja' import whole %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ whole(heat) }}
