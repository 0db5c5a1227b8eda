# Neutron's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'neutron/map.jinja' import neutron, server, venv with context %}
{%- if server.get('engine', 'pkg') == 'venv' %}

neutron_installed:
  upgrader_venv.holds:
    - name: {{ venv }}
    - packages: {{ neutron.pkgs | json }}
{%- else %}

neutron_installed:
  pkg.installed:
    - pkgs: {{ neutron.pkgs | json }}
{%- endif %}
