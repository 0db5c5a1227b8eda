# Nova, installed, configured and running.
{%- from 'upgrader/service.jinja' import whole %}
{%- from 'upgrader/nova/map.jinja' import nova with context %}
{{ whole(nova) }}
