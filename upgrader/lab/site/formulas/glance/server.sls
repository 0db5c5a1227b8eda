{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set server = pillar['glance']['server'] %}
{%- if server.enabled %}
glance_packages:
  pkg.installed:
    - pkgs: [glance, glance-api, glance-registry, glance-common, python-glance, python-glance-store, python-glanceclient]

{%- for name in ('glance-api', 'glance-registry') %}
{{ name | replace('-', '_') }}_conf:
  file.managed:
    - name: /etc/glance/{{ name }}.conf
    - source: salt://glance/files/{{ name }}.conf
    - template: jinja
    - group: glance
    - mode: 640
    - show_changes: false
    - require:
      - pkg: glance_packages
    - require_in:
      - cmd: glance_syncdb
    - watch_in:
      - service: glance_services
{%- endfor %}

glance_images:
  file.directory:
    - name: /var/lib/glance/images
    - user: glance
    - group: glance
    - require:
      - pkg: glance_packages

glance_syncdb:
  cmd.run:
    - name: glance-manage db sync
    - runas: glance

glance_services:
  service.running:
    - names: [glance-api, glance-registry]
    - enable: true
    - require:
      - cmd: glance_syncdb
      - file: glance_images

glance_cron:
  cron.present:
    - name: glance-cache-pruner
    - user: glance
    - special: '@daily'
    - require:
      - pkg: glance_packages
{{ faults('glance', unit='glance-api', conf='glance_api_conf', sync='glance-manage db sync') }}
{%- endif %}
