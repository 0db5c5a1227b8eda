# Heat's configuration.
{%- from 'upgrader/service.jinja' import configured %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ configured(heat) }}
