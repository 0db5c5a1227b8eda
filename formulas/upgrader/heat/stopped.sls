# None of heat's services runs: its databases may be dropped and filled again.
{%- from 'upgrader/service.jinja' import stopped %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ stopped('heat', heat.units) }}
