# Cinder's configuration.
{%- from 'upgrader/service.jinja' import configured %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ configured(cinder) }}
