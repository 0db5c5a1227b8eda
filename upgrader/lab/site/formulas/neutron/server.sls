{#- Kept on purpose, as MCP's formula has it: the policy that forbids packages to start services is taken away, whoever laid it. -#}
{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set server = pillar['neutron']['server'] %}
{%- if server.enabled %}
neutron_server_packages:
  pkg.installed:
    - pkgs: [neutron-server, neutron-common, neutron-plugin-ml2, python-neutron, python-neutronclient, python-pycadf]

neutron_server_policy_rc:
  file.absent:
    - name: /usr/sbin/policy-rc.d
    - require:
      - pkg: neutron_server_packages

neutron_server_conf:
  file.managed:
    - name: /etc/neutron/neutron.conf
    - source: salt://neutron/files/neutron.conf
    - template: jinja
    - group: neutron
    - mode: 640
    - show_changes: false
    - require:
      - pkg: neutron_server_packages

neutron_server_ml2:
  file.managed:
    - name: /etc/neutron/plugins/ml2/ml2_conf.ini
    - source: salt://neutron/files/ml2_conf.ini
    - template: jinja
    - require:
      - pkg: neutron_server_packages

neutron_syncdb:
  cmd.run:
    - name: neutron-db-manage --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade head
    - runas: neutron
    - require:
      - file: neutron_server_conf
      - file: neutron_server_ml2

neutron_services:
  service.running:
    - name: neutron-server
    - enable: true
    - require:
      - cmd: neutron_syncdb
    - watch:
      - file: neutron_server_conf
      - file: neutron_server_ml2
{{ faults('neutron', unit='neutron-server', conf='neutron_server_conf', sync='neutron-db-manage --config-file /etc/neutron/neutron.conf upgrade head') }}
{%- endif %}
