# Cinder, installed, configured and running.
{%- from 'upgrader/service.jinja' import whole %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ whole(cinder) }}
