{%- from 'lab_site/faults.jinja' import faults with context %}
{%- if pillar['memcached']['server'].enabled %}
memcached_packages:
  pkg.installed:
    - pkgs: [memcached, python-memcache]

memcached_conf:
  file.managed:
    - name: /etc/memcached.conf
    - source: salt://memcached/files/memcached.conf
    - template: jinja
    - require:
      - pkg: memcached_packages

memcached_services:
  service.running:
    - name: memcached
    - enable: true
    - watch:
      - file: memcached_conf
{{ faults('memcached', unit='memcached', conf='memcached_conf') }}
{%- endif %}
