# Keystone's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'keystone/map.jinja' import keystone, server with context %}
include:
  - keystone.configured

keystone_isolated:
  upgrader_copy.isolated:
    - service: keystone
    - require:
      - file: keystone_conf

{%- for unit, command in keystone.units | dictsort if command %}

keystone_unit_{{ unit }}:
  file.managed:
    - name: /etc/systemd/system/{{ unit }}.service
    - source: salt://openstack/files/unit.jinja
    - template: jinja
    - mode: '0644'
    - context:
        title: {{ unit }}
        user: keystone
        command: {{ command }}
    - require:
      - upgrader_copy: keystone_isolated
    - watch_in:
      - service: keystone_running_{{ unit }}
{%- endfor %}

{%- for unit in keystone.units | sort %}

keystone_running_{{ unit }}:
  service.running:
    - name: {{ unit }}
    - enable: {{ server.get('enable', false) }}
    - require:
      - upgrader_copy: keystone_isolated
    - watch:
      - file: keystone_conf
      - file: keystone_front
{%- endfor %}
