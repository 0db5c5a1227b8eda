# Glance's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'upgrader/service.jinja' import running %}
{%- from 'upgrader/glance/map.jinja' import glance with context %}
{{ running(glance) }}
