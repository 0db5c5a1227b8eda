# The dashboard, from pillar horizon:server. With engine `venv` it is left out: horizon is not among the lab's environments.
{%- set server = salt['pillar.get']('horizon:server') or {} %}

horizon_model:
  upgrader_model.complete:
    - role: horizon:server
{%- if server.get('engine', 'pkg') == 'pkg' and server.get('enabled', true) %}

horizon_installed:
  pkg.installed:
    - pkgs:
      - apache2
      - libapache2-mod-wsgi
      - openstack-dashboard
      - python-memcache
    - require:
      - upgrader_model: horizon_model

horizon_conf:
  file.managed:
    - name: /etc/openstack-dashboard/local_settings.py
    - source: salt://upgrader/horizon/files/local_settings.py.jinja
    - template: jinja
    - user: root
    - group: horizon
    - mode: '0640'
    - show_changes: false
    - require:
      - pkg: horizon_installed

horizon_running:
  service.running:
    - name: apache2
    - enable: {{ server.get('enable', true) }}
    - watch:
      - file: horizon_conf
{%- endif %}
