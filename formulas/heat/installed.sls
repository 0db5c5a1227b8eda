# Heat's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'heat/map.jinja' import heat, server, venv with context %}
{%- if server.get('engine', 'pkg') == 'venv' %}

heat_installed:
  upgrader_venv.holds:
    - name: {{ venv }}
    - packages: {{ heat.pkgs | json }}
{%- else %}

heat_installed:
  pkg.installed:
    - pkgs: {{ heat.pkgs | json }}
{%- endif %}
