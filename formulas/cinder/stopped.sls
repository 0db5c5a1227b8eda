# None of cinder's services runs: its databases may be dropped and filled again.
{%- from 'cinder/map.jinja' import cinder with context %}
{%- for unit in cinder.units | sort %}

cinder_stopped_{{ unit }}:
  service.dead:
    - name: {{ unit }}
    - enable: false
{%- endfor %}
