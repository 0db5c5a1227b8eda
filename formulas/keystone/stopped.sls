# None of keystone's services runs: its databases may be dropped and filled again.
{%- from 'keystone/map.jinja' import keystone with context %}
{%- for unit in keystone.units | sort %}

keystone_stopped_{{ unit }}:
  service.dead:
    - name: {{ unit }}
    - enable: false
{%- endfor %}
