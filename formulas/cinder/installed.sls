# Cinder's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'cinder/map.jinja' import cinder, server, venv with context %}
{%- if server.get('engine', 'pkg') == 'venv' %}

cinder_installed:
  upgrader_venv.holds:
    - name: {{ venv }}
    - packages: {{ cinder.pkgs | json }}
{%- else %}

cinder_installed:
  pkg.installed:
    - pkgs: {{ cinder.pkgs | json }}
{%- endif %}
