# Glance, installed, configured and running.
{%- from 'upgrader/service.jinja' import whole %}
{%- from 'upgrader/glance/map.jinja' import glance with context %}
{{ whole(glance) }}
