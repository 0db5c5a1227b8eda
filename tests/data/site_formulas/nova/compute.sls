# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "nova/map.jinja" import compute with context %}
nova_compute_conf:
  file.managed:
    - name: /etc/{{ compute.name }}.conf
    - source: salt://nova/files/compute.conf
    - template: jinja
