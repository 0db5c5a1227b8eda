# Cinder's databases through the phases of the release path. A phase that is done is passed over.
{%- from 'upgrader/service.jinja' import upgraded %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ upgraded(cinder) }}
