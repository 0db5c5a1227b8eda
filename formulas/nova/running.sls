# nova-api of the copy; it does not start before the copy is proven to lead nowhere else.
{%- set controller = salt['pillar.get']('nova:controller', {}) %}
include:
  - nova.configured

nova_isolated:
  upgrader_nova.isolated:
    - require:
      - file: nova_conf

{%- if controller.get('engine') == 'venv' %}

nova_api_unit:
  file.managed:
    - name: /etc/systemd/system/nova-api.service
    - source: salt://nova/files/nova-api.service.jinja
    - template: jinja
    - mode: '0644'
    - context:
        bin: {{ controller.venv }}/bin
        conf: {{ controller.get('config_file', '/etc/nova/nova.conf') }}
    - require_in:
      - service: nova_api
{%- endif %}

nova_api:
  service.running:
    - name: nova-api
    - enable: false
    - require:
      - upgrader_nova: nova_isolated
    - watch:
      - file: nova_conf
