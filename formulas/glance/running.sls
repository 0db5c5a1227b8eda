# Glance's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'glance/map.jinja' import glance, server with context %}
include:
  - glance.configured

glance_isolated:
  upgrader_copy.isolated:
    - service: glance
    - require:
      - file: glance_conf

{%- for unit, command in glance.units | dictsort if command %}

glance_unit_{{ unit }}:
  file.managed:
    - name: /etc/systemd/system/{{ unit }}.service
    - source: salt://openstack/files/unit.jinja
    - template: jinja
    - mode: '0644'
    - context:
        title: {{ unit }}
        user: glance
        command: {{ command }}
    - require:
      - upgrader_copy: glance_isolated
    - watch_in:
      - service: glance_running_{{ unit }}
{%- endfor %}

{%- for unit in glance.units | sort %}

glance_running_{{ unit }}:
  service.running:
    - name: {{ unit }}
    - enable: {{ server.get('enable', false) }}
    - require:
      - upgrader_copy: glance_isolated
    - watch:
      - file: glance_conf
{%- endfor %}
