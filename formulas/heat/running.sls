# Heat's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'heat/map.jinja' import heat, server with context %}
include:
  - heat.configured

heat_isolated:
  upgrader_copy.isolated:
    - service: heat
    - require:
      - file: heat_conf

{%- for unit, command in heat.units | dictsort if command %}

heat_unit_{{ unit }}:
  file.managed:
    - name: /etc/systemd/system/{{ unit }}.service
    - source: salt://openstack/files/unit.jinja
    - template: jinja
    - mode: '0644'
    - context:
        title: {{ unit }}
        user: heat
        command: {{ command }}
    - require:
      - upgrader_copy: heat_isolated
    - watch_in:
      - service: heat_running_{{ unit }}
{%- endfor %}

{%- for unit in heat.units | sort %}

heat_running_{{ unit }}:
  service.running:
    - name: {{ unit }}
    - enable: {{ server.get('enable', false) }}
    - require:
      - upgrader_copy: heat_isolated
    - watch:
      - file: heat_conf
{%- endfor %}
