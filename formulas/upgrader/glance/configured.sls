# Glance's configuration.
{%- from 'upgrader/service.jinja' import configured %}
{%- from 'upgrader/glance/map.jinja' import glance with context %}
{{ configured(glance) }}
