# Nova's configuration. It holds passwords, so no diff is shown and the template reads pillar itself: what a state is
# given as context ends up in the minion's highstate cache.
{%- from 'nova/map.jinja' import conf, server, venv with context %}
{%- set placement = server.get('placement') or {} %}
{%- set place = placement.get('bind') or {} %}

nova_model:
  upgrader_model.complete:
    - role: nova:controller

nova_directory_tmp:
  file.directory:
    - name: /var/lib/nova/tmp
    - user: nova
    - group: nova
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: nova_model

nova_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://nova/files/nova.conf.jinja
    - template: jinja
    - user: nova
    - group: nova
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: nova_model

{%- if server.get('engine', 'pkg') == 'venv' %}

nova_placement_front:
  file.managed:
    - name: /etc/nova/placement-uwsgi.ini
    - source: salt://uwsgi/files/uwsgi.ini.jinja
    - template: jinja
    - mode: '0644'
    - context:
        sockets:
          - {{ place.get('address', '') }}:{{ place.get('port', 8778) }}
        virtualenv: {{ venv }}
        application: {{ venv }}/bin/nova-placement-api
        processes: {{ placement.get('workers', 1) }}
        environment: {}
    - require:
      - file: nova_conf
{%- else %}

nova_placement_front:
  file.managed:
    - name: /etc/apache2/sites-available/nova-placement-api.conf
    - source: salt://apache/files/wsgi.conf.jinja
    - template: jinja
    - mode: '0644'
    - makedirs: true
    - context:
        name: nova-placement-api
        user: nova
        processes: {{ placement.get('workers', 5) }}
        sites:
          - {address: '{{ place.get('address', '') }}', port: {{ place.get('port', 8778) }}, script: /usr/bin/nova-placement-api}
    - require:
      - file: nova_conf
{%- endif %}
