# A message queue of this node's own, from pillar upgrader:service:rabbitmq or rabbitmq:server. Account and virtual host come from the configuration file,
# which RabbitMQ reads when it makes its database: no password stands on a command line.
{%- from 'upgrader/rabbitmq/map.jinja' import role, server with context %}

rabbitmq_model:
  upgrader_model.complete:
    - role: {{ role }}

rabbitmq_directory:
  file.directory:
    - name: /etc/rabbitmq
    - mode: '0755'
    - require:
      - upgrader_model: rabbitmq_model

rabbitmq_env:
  file.managed:
    - name: /etc/rabbitmq/rabbitmq-env.conf
    - source: salt://upgrader/rabbitmq/files/rabbitmq-env.conf.jinja
    - template: jinja
    - mode: '0644'
    - require:
      - file: rabbitmq_directory

rabbitmq_installed:
  pkg.installed:
    - name: rabbitmq-server
    - require:
      - file: rabbitmq_env

rabbitmq_conf:
  file.managed:
    - name: /etc/rabbitmq/rabbitmq.config
    - source: salt://upgrader/rabbitmq/files/rabbitmq.config.jinja
    - template: jinja
    - user: rabbitmq
    - group: rabbitmq
    - mode: '0600'
    - show_changes: false
    - require:
      - pkg: rabbitmq_installed

rabbitmq_running:
  service.running:
    - name: rabbitmq-server
    - enable: {{ server.get('enable', false) }}
    - watch:
      - file: rabbitmq_conf
      - file: rabbitmq_env
{%- for virtual_host, account in (server.get('host') or {}) | dictsort if account.get('enabled', true) %}

rabbitmq_account{{ '' if virtual_host == '/openstack' else virtual_host | replace('/', '_') }}:
  upgrader_rabbitmq.account:
    - name: {{ virtual_host }}
    - require:
      - service: rabbitmq_running
{%- endfor %}
