# nova.conf that names the copy's databases and its own queue, and nothing else. Holds passwords: no diff is shown.
{%- set controller = salt['pillar.get']('nova:controller', {}) %}
{%- set conf = controller.get('config_file', '/etc/nova/nova.conf') %}
{%- set venv = controller.get('venv', '') if controller.get('engine') == 'venv' else '' %}

nova_state_directory:
  file.directory:
    - name: /var/lib/nova/tmp
    - user: nova
    - group: nova
    - mode: '0750'
    - makedirs: true

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
    - context:
        controller: {{ controller | json }}
        database: {{ controller.get('database', {}) | json }}
        queue: {{ controller.get('message_queue', {}) | json }}
        paste: {{ controller.get('api_paste_config', (venv or '') ~ '/etc/nova/api-paste.ini') }}
    - require:
      - file: nova_state_directory
