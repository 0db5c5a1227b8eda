# The address that moves between nodes, from pillar keepalived:cluster.
{%- set cluster = salt['pillar.get']('keepalived:cluster') or {} %}

keepalived_model:
  upgrader_model.complete:
    - role: keepalived:cluster

keepalived_installed:
  pkg.installed:
    - name: keepalived
    - require:
      - upgrader_model: keepalived_model

keepalived_conf:
  file.managed:
    - name: /etc/keepalived/keepalived.conf
    - source: salt://upgrader/keepalived/files/keepalived.conf.jinja
    - template: jinja
    - mode: '0600'
    - show_changes: false
    - makedirs: true
    - require:
      - pkg: keepalived_installed

keepalived_running:
  service.running:
    - name: keepalived
    - enable: {{ cluster.get('enable', true) }}
    - watch:
      - file: keepalived_conf
