{#- The lab has no dashboard: its package and its configuration only. -#}
{%- from 'lab_site/faults.jinja' import faults with context %}
{%- if pillar['horizon']['server'].enabled %}
horizon_packages:
  pkg.installed:
    - pkgs: [openstack-dashboard, apache2, libapache2-mod-wsgi]

horizon_conf:
  file.managed:
    - name: /etc/openstack-dashboard/local_settings.py
    - source: salt://horizon/files/local_settings.py.jinja
    - template: jinja
    - mode: 640
    - show_changes: false
    - require:
      - pkg: horizon_packages

horizon_services:
  service.running:
    - name: apache2
    - enable: true
    - watch:
      - file: horizon_conf
{{ faults('horizon', unit='apache2', conf='horizon_conf') }}
{%- endif %}
