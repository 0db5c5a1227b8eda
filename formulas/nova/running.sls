# Nova's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'nova/map.jinja' import nova, server with context %}
include:
  - nova.configured

nova_isolated:
  upgrader_copy.isolated:
    - service: nova
    - require:
      - file: nova_conf

{%- for unit, command in nova.units | dictsort if command %}

nova_unit_{{ unit }}:
  file.managed:
    - name: /etc/systemd/system/{{ unit }}.service
    - source: salt://openstack/files/unit.jinja
    - template: jinja
    - mode: '0644'
    - context:
        title: {{ unit }}
        user: nova
        command: {{ command }}
    - require:
      - upgrader_copy: nova_isolated
    - watch_in:
      - service: nova_running_{{ unit }}
{%- endfor %}

{%- for unit in nova.units | sort %}

nova_running_{{ unit }}:
  service.running:
    - name: {{ unit }}
    - enable: {{ server.get('enable', false) }}
    - require:
      - upgrader_copy: nova_isolated
    - watch:
      - file: nova_conf
      - file: nova_placement_front
{%- endfor %}
