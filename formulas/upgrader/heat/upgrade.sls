# Heat's databases through the phases of the release path. A phase that is done is passed over.
{%- from 'upgrader/service.jinja' import upgraded %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ upgraded(heat) }}
