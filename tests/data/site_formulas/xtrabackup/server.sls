# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "xtrabackup/map.jinja" import server with context %}
xtrabackup_server_conf:
  file.managed:
    - name: /etc/{{ server.name }}.conf
    - source: salt://xtrabackup/files/server.conf
    - template: jinja
