# Glance's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'glance/map.jinja' import glance, server, venv with context %}
{%- if server.get('engine', 'pkg') == 'venv' %}

glance_installed:
  upgrader_venv.holds:
    - name: {{ venv }}
    - packages: {{ glance.pkgs | json }}
{%- else %}

glance_installed:
  pkg.installed:
    - pkgs: {{ glance.pkgs | json }}
{%- endif %}
