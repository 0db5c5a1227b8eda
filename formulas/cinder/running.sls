# Cinder's services; on a copy none starts before the copy is proven to lead nowhere else.
{%- from 'cinder/map.jinja' import cinder, server with context %}
include:
  - cinder.configured

cinder_isolated:
  upgrader_copy.isolated:
    - service: cinder
    - require:
      - file: cinder_conf

{%- for unit, command in cinder.units | dictsort if command %}

cinder_unit_{{ unit }}:
  file.managed:
    - name: /etc/systemd/system/{{ unit }}.service
    - source: salt://openstack/files/unit.jinja
    - template: jinja
    - mode: '0644'
    - context:
        title: {{ unit }}
        user: cinder
        command: {{ command }}
    - require:
      - upgrader_copy: cinder_isolated
    - watch_in:
      - service: cinder_running_{{ unit }}
{%- endfor %}

{%- for unit in cinder.units | sort %}

cinder_running_{{ unit }}:
  service.running:
    - name: {{ unit }}
    - enable: {{ server.get('enable', false) }}
    - require:
      - upgrader_copy: cinder_isolated
    - watch:
      - file: cinder_conf
{%- endfor %}
