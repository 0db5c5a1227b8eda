# None of nova's services runs: its databases may be dropped and filled again.
{%- from 'upgrader/service.jinja' import stopped %}
{%- from 'upgrader/nova/map.jinja' import nova with context %}
{{ stopped('nova', nova.units) }}
