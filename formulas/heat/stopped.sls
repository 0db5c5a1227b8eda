# None of heat's services runs: its databases may be dropped and filled again.
{%- from 'heat/map.jinja' import heat with context %}
{%- for unit in heat.units | sort %}

heat_stopped_{{ unit }}:
  service.dead:
    - name: {{ unit }}
    - enable: false
{%- endfor %}
