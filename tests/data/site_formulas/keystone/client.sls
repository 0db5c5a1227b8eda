# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "keystone/map.jinja" import client with context %}
keystone_client_conf:
  file.managed:
    - name: /etc/{{ client.name }}.conf
    - source: salt://keystone/files/client.conf
    - template: jinja
