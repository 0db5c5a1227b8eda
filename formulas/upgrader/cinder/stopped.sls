# None of cinder's services runs: its databases may be dropped and filled again.
{%- from 'upgrader/service.jinja' import stopped %}
{%- from 'upgrader/cinder/map.jinja' import cinder with context %}
{{ stopped('cinder', cinder.units) }}
