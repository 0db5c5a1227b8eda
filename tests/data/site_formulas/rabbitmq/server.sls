# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "rabbitmq/map.jinja" import server with context %}
rabbitmq_server_conf:
  file.managed:
    - name: /etc/{{ server.name }}.conf
    - source: salt://rabbitmq/files/server.conf
    - template: jinja
