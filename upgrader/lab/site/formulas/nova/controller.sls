{#- Kept on purpose, as MCP's formula has them: the schemas are synced without a look at where they are, and the cells made in
    between. On a Mitaka schema that breaks it. -#}
{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set controller = pillar['nova']['controller'] %}
{%- set daemons = ['nova-api', 'nova-conductor', 'nova-scheduler', 'nova-consoleauth', 'nova-novncproxy'] %}
{%- if controller.enabled %}
nova_controller_packages:
  pkg.installed:
    - pkgs: {{ (daemons + ['nova-common', 'nova-consoleproxy', 'nova-doc', 'nova-placement-api', 'novnc', 'python-novaclient', 'python-memcache', 'python-pycadf']) | json }}

nova_controller_conf:
  file.managed:
    - name: /etc/nova/nova.conf
    - source: salt://nova/files/nova.conf
    - template: jinja
    - group: nova
    - mode: 640
    - show_changes: false
    - require:
      - pkg: nova_controller_packages

nova_placement_site:
  file.managed:
    - name: /etc/apache2/sites-enabled/nova-placement-api.conf
    - source: salt://nova/files/nova-placement-api.conf
    - template: jinja
    - require:
      - pkg: nova_controller_packages

{%- set before = [] %}
{%- for id, command in (
    ('nova_api_syncdb', 'nova-manage api_db sync'),
    ('nova_map_cell0', 'nova-manage cell_v2 map_cell0'),
    ('nova_create_cell', "nova-manage cell_v2 list_cells | grep -w cell1 || nova-manage cell_v2 create_cell --name=cell1"),
    ('nova_syncdb', 'nova-manage db sync'),
    ('nova_online_migrations', 'nova-manage db online_data_migrations'),
) %}
{{ id }}:
  cmd.run:
    - name: {{ command | json }}
    - runas: nova
    - require:
      - file: nova_controller_conf
{%- if before %}
      - cmd: {{ before[-1] }}
{%- endif %}
    - require_in:
      - service: nova_services
{%- if before.append(id) %}{% endif %}
{%- endfor %}

nova_services:
  service.running:
    - names: {{ daemons | json }}
    - enable: true
    - watch:
      - file: nova_controller_conf

{#- A running apache that has the new site by its side does not listen for it: the service is watched, and never told to restart. #}
nova_placement_service:
  service.running:
    - name: apache2
    - enable: true
    - require:
      - file: nova_placement_site
{{ faults('nova', unit='nova-api', conf='nova_controller_conf', sync='nova-manage db sync') }}
{%- endif %}
