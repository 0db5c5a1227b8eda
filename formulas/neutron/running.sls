# Neutron's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'neutron/map.jinja' import neutron, server with context %}
include:
  - neutron.configured

neutron_isolated:
  upgrader_copy.isolated:
    - service: neutron
    - require:
      - file: neutron_conf

{%- for unit, command in neutron.units | dictsort if command %}

neutron_unit_{{ unit }}:
  file.managed:
    - name: /etc/systemd/system/{{ unit }}.service
    - source: salt://openstack/files/unit.jinja
    - template: jinja
    - mode: '0644'
    - context:
        title: {{ unit }}
        user: neutron
        command: {{ command }}
    - require:
      - upgrader_copy: neutron_isolated
    - watch_in:
      - service: neutron_running_{{ unit }}
{%- endfor %}

{%- for unit in neutron.units | sort %}

neutron_running_{{ unit }}:
  service.running:
    - name: {{ unit }}
    - enable: {{ server.get('enable', false) }}
    - require:
      - upgrader_copy: neutron_isolated
    - watch:
      - file: neutron_conf
{%- endfor %}
