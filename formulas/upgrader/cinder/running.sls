# Cinder's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'upgrader/service.jinja' import running %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ running(cinder) }}
