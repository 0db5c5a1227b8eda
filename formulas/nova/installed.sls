# Nova's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'nova/map.jinja' import nova, server, venv with context %}
{%- if server.get('engine', 'pkg') == 'venv' %}

nova_installed:
  upgrader_venv.holds:
    - name: {{ venv }}
    - packages: {{ nova.pkgs | json }}
{%- else %}

nova_installed:
  pkg.installed:
    - pkgs: {{ nova.pkgs | json }}
{%- endif %}
