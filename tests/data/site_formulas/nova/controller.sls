# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "nova/map.jinja" import controller with context %}
nova_controller_conf:
  file.managed:
    - name: /etc/{{ controller.name }}.conf
    - source: salt://nova/files/controller.conf
    - template: jinja
