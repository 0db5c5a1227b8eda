# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "keystone/map.jinja" import server with context %}
keystone_server_conf:
  file.managed:
    - name: /etc/{{ server.name }}.conf
    - source: salt://keystone/files/server.conf
    - template: jinja
