# None of keystone's services runs: its databases may be dropped and filled again.
{%- from 'upgrader/service.jinja' import stopped %}
{%- from 'upgrader/keystone/map.jinja' import keystone with context %}
{{ stopped('keystone', keystone.units) }}
