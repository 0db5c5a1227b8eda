# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "xtrabackup/map.jinja" import client with context %}
xtrabackup_client_conf:
  file.managed:
    - name: /etc/{{ client.name }}.conf
    - source: salt://xtrabackup/files/client.conf
    - template: jinja
