# None of nova's services runs: its databases may be dropped and filled again.
{%- from 'nova/map.jinja' import nova with context %}
{%- for unit in nova.units | sort %}

nova_stopped_{{ unit }}:
  service.dead:
    - name: {{ unit }}
    - enable: false
{%- endfor %}
