# Nova's configuration.
{%- from 'upgrader/service.jinja' import configured %}
{%- from 'upgrader/nova/map.jinja' import nova with context %}
{{ configured(nova) }}
