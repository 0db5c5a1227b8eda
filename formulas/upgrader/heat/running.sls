# Heat's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'upgrader/service.jinja' import running %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ running(heat) }}
