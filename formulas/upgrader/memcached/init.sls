# The cache of the services on this node, from pillar upgrader:service:memcached or memcached:server.
{%- from 'upgrader/memcached/map.jinja' import role, server with context %}

memcached_model:
  upgrader_model.complete:
    - role: {{ role }}

memcached_installed:
  pkg.installed:
    - name: memcached
    - require:
      - upgrader_model: memcached_model

memcached_conf:
  file.managed:
    - name: /etc/memcached.conf
    - source: salt://upgrader/memcached/files/memcached.conf.jinja
    - template: jinja
    - mode: '0644'
    - require:
      - pkg: memcached_installed

memcached_running:
  service.running:
    - name: memcached
    - enable: {{ server.get('enable', false) }}
    - watch:
      - file: memcached_conf
