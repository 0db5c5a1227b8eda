# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "mysql/map.jinja" import client with context %}
mysql_client_conf:
  file.managed:
    - name: /etc/{{ client.name }}.conf
    - source: salt://mysql/files/client.conf
    - template: jinja
