# Nova's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'upgrader/service.jinja' import running %}
{%- from 'upgrader/nova/map.jinja' import nova with context %}
{{ running(nova) }}
