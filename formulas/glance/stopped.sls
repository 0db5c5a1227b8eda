# None of glance's services runs: its databases may be dropped and filled again.
{%- from 'glance/map.jinja' import glance with context %}
{%- for unit in glance.units | sort %}

glance_stopped_{{ unit }}:
  service.dead:
    - name: {{ unit }}
    - enable: false
{%- endfor %}
