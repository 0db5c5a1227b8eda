# None of glance's services runs: its databases may be dropped and filled again.
{%- from 'upgrader/service.jinja' import stopped %}
{%- from 'upgrader/glance/map.jinja' import glance with context %}
{{ stopped('glance', glance.units) }}
