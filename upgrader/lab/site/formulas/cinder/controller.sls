{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set controller = pillar['cinder']['controller'] %}
{%- if controller.enabled %}
cinder_controller_packages:
  pkg.installed:
    - pkgs: [cinder-api, cinder-common, cinder-scheduler, python-cinder, python-cinderclient, apache2, libapache2-mod-wsgi]

cinder_controller_conf:
  file.managed:
    - name: /etc/cinder/cinder.conf
    - source: salt://cinder/files/cinder.conf
    - template: jinja
    - group: cinder
    - mode: 640
    - show_changes: false
    - require:
      - pkg: cinder_controller_packages

cinder_api_site:
  file.managed:
    - name: /etc/apache2/conf-enabled/cinder-wsgi.conf
    - source: salt://cinder/files/cinder-wsgi.conf
    - template: jinja
    - require:
      - pkg: cinder_controller_packages

cinder_syncdb:
  cmd.run:
    - name: cinder-manage db sync
    - runas: cinder
    - require:
      - file: cinder_controller_conf

cinder_services:
  service.running:
    - names: [cinder-scheduler]
    - enable: true
    - require:
      - cmd: cinder_syncdb
    - watch:
      - file: cinder_controller_conf

cinder_api_service:
  service.running:
    - name: apache2
    - enable: true
    - require:
      - cmd: cinder_syncdb
    - watch:
      - file: cinder_controller_conf
      - file: cinder_api_site
{{ faults('cinder', unit='cinder-scheduler', conf='cinder_controller_conf', sync='cinder-manage db sync') }}
{%- endif %}
