# Made up for a test: a site's formula with MCP's folder and entry points.
{%- from "haproxy/map.jinja" import proxy with context %}
haproxy_proxy_conf:
  file.managed:
    - name: /etc/{{ proxy.name }}.conf
    - source: salt://haproxy/files/proxy.conf
    - template: jinja
