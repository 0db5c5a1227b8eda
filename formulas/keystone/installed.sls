# Keystone's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'keystone/map.jinja' import keystone, server, venv with context %}
{%- if server.get('engine', 'pkg') == 'venv' %}

keystone_installed:
  upgrader_venv.holds:
    - name: {{ venv }}
    - packages: {{ keystone.pkgs | json }}
{%- else %}

keystone_installed:
  pkg.installed:
    - pkgs: {{ keystone.pkgs | json }}
{%- endif %}
