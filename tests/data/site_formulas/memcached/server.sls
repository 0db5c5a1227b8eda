# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "memcached/map.jinja" import server with context %}
memcached_server_conf:
  file.managed:
    - name: /etc/{{ server.name }}.conf
    - source: salt://memcached/files/server.conf
    - template: jinja
