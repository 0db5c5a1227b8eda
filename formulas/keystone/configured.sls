# Keystone's configuration. It holds passwords, so no diff is shown and the template reads pillar itself: what a state is
# given as context ends up in the minion's highstate cache.
{%- from 'keystone/map.jinja' import conf, tokens, credentials, venv, server with context %}
{%- set bind = server.get('bind') or {} %}

keystone_model:
  upgrader_model.complete:
    - role: keystone:server

keystone_directory_keystone:
  file.directory:
    - name: /var/lib/keystone
    - user: keystone
    - group: keystone
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: keystone_model

keystone_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://keystone/files/keystone.conf.jinja
    - template: jinja
    - user: keystone
    - group: keystone
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: keystone_model

{%- if server.get('engine', 'pkg') == 'venv' %}

keystone_front:
  file.managed:
    - name: /etc/keystone/uwsgi.ini
    - source: salt://uwsgi/files/uwsgi.ini.jinja
    - template: jinja
    - mode: '0644'
    - context:
        sockets:
          - {{ bind.get('public_address', '') }}:{{ bind.get('public_port', 5000) }}
          - {{ bind.get('private_address', '') }}:{{ bind.get('private_port', 35357) }}
        virtualenv: {{ venv }}
        application: {{ venv }}/bin/keystone-wsgi-public
        processes: {{ server.get('workers', 2) }}
        environment:
          OS_KEYSTONE_CONFIG_DIR: {{ salt['file.dirname'](conf) }}
    - require:
      - file: keystone_conf
{%- else %}

keystone_front:
  file.managed:
    - name: /etc/apache2/sites-available/keystone.conf
    - source: salt://apache/files/wsgi.conf.jinja
    - template: jinja
    - mode: '0644'
    - makedirs: true
    - context:
        name: keystone
        user: keystone
        processes: {{ server.get('workers', 5) }}
        sites:
          - {address: '{{ bind.get('public_address', '') }}', port: {{ bind.get('public_port', 5000) }}, script: /usr/bin/keystone-wsgi-public}
          - {address: '{{ bind.get('private_address', '') }}', port: {{ bind.get('private_port', 35357) }}, script: /usr/bin/keystone-wsgi-admin}
    - require:
      - file: keystone_conf
{%- endif %}
