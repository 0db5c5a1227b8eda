{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set server = pillar['rabbitmq']['server'] %}
{%- if server.enabled %}
rabbitmq_packages:
  pkg.installed:
    - pkgs: [rabbitmq-server]

rabbitmq_conf:
  file.managed:
    - name: /etc/rabbitmq/rabbitmq-env.conf
    - source: salt://rabbitmq/files/rabbitmq-env.conf
    - template: jinja
    - require:
      - pkg: rabbitmq_packages

{%- if server.secret_key is defined %}
rabbitmq_cookie:
  file.managed:
    - name: /var/lib/rabbitmq/.erlang.cookie
    - contents: {{ server.secret_key }}
    - contents_newline: false
    - user: rabbitmq
    - group: rabbitmq
    - mode: 400
    - show_changes: false
    - require:
      - pkg: rabbitmq_packages
    - watch_in:
      - service: rabbitmq_services
{%- endif %}

rabbitmq_services:
  service.running:
    - name: rabbitmq-server
    - enable: true
    - watch:
      - file: rabbitmq_conf

{%- for name, host in server.get('host', {}).items() if host.enabled %}
rabbitmq_host_{{ name }}:
  cmd.run:
    - name: rabbitmqctl -q add_vhost {{ name }}
    - unless: rabbitmqctl -q list_vhosts | grep -xF {{ name }}
    - require:
      - service: rabbitmq_services

rabbitmq_user_{{ host.user }}:
  cmd.run:
    - name: rabbitmqctl -q add_user {{ host.user }} < /etc/rabbitmq/password-{{ host.user }}
    - unless: rabbitmqctl -q list_users | cut -f 1 | grep -xF {{ host.user }}
    - require:
      - file: rabbitmq_password_{{ host.user }}
      - cmd: rabbitmq_host_{{ name }}

rabbitmq_password_{{ host.user }}:
  file.managed:
    - name: /etc/rabbitmq/password-{{ host.user }}
    - contents: {{ host.password }}
    - mode: 600
    - show_changes: false
    - require:
      - pkg: rabbitmq_packages

rabbitmq_permissions_{{ host.user }}:
  cmd.run:
    - name: rabbitmqctl -q set_permissions -p {{ name }} {{ host.user }} '.*' '.*' '.*'
    - require:
      - cmd: rabbitmq_user_{{ host.user }}
{%- endfor %}
{{ faults('rabbitmq', unit='rabbitmq-server', conf='rabbitmq_conf') }}
{%- endif %}
