{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set server = pillar['heat']['server'] %}
{%- set daemons = ['heat-api', 'heat-api-cfn', 'heat-engine'] %}
{%- if server.enabled %}
heat_server_packages:
  pkg.installed:
    - pkgs: {{ (daemons + ['heat-api-cloudwatch', 'heat-common', 'python-heat', 'python-heatclient']) | json }}

heat_server_conf:
  file.managed:
    - name: /etc/heat/heat.conf
    - source: salt://heat/files/heat.conf
    - template: jinja
    - group: heat
    - mode: 640
    - show_changes: false
    - require:
      - pkg: heat_server_packages

heat_syncdb:
  cmd.run:
    - name: heat-manage db_sync
    - runas: heat
    - require:
      - file: heat_server_conf

heat_services:
  service.running:
    - names: {{ daemons | json }}
    - enable: true
    - require:
      - cmd: heat_syncdb
    - watch:
      - file: heat_server_conf
{{ faults('heat', unit='heat-engine', conf='heat_server_conf', sync='heat-manage db_sync') }}
{%- endif %}
