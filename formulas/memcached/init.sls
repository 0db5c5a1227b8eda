# The cache of the services on this node, from pillar memcached:server.
{%- set server = salt['pillar.get']('memcached:server') or {} %}

memcached_model:
  upgrader_model.complete:
    - role: memcached:server

memcached_installed:
  pkg.installed:
    - name: memcached
    - require:
      - upgrader_model: memcached_model

memcached_conf:
  file.managed:
    - name: /etc/memcached.conf
    - source: salt://memcached/files/memcached.conf.jinja
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
