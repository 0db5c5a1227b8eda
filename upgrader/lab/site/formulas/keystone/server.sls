{#- Kept on purpose, as MCP's formula has them: the schema is synced before there are keys for credentials, so what the sync encrypts
    is encrypted with the null key; the administrator's roles are set to `admin` and no other. -#}
{%- from 'lab_site/faults.jinja' import faults with context %}
{%- set server = pillar['keystone']['server'] %}
{%- if server.enabled %}
keystone_packages:
  pkg.installed:
    - pkgs: [keystone, python-keystone, python-keystoneclient, python-memcache, apache2, libapache2-mod-wsgi]

keystone_conf:
  file.managed:
    - name: /etc/keystone/keystone.conf
    - source: salt://keystone/files/keystone.conf
    - template: jinja
    - group: keystone
    - mode: 640
    - show_changes: false
    - require:
      - pkg: keystone_packages

keystone_apache_site:
  file.managed:
    - name: /etc/apache2/sites-enabled/wsgi-keystone.conf
    - source: salt://keystone/files/wsgi-keystone.conf
    - template: jinja
    - require:
      - pkg: keystone_packages

keystone_syncdb:
  cmd.run:
    - name: keystone-manage db_sync
    - runas: keystone
    - require:
      - file: keystone_conf

{%- for kind, folder in (('fernet', server.tokens.location), ('credential', server.credential.location)) %}
keystone_{{ kind }}_keys:
  file.directory:
    - name: {{ folder }}
    - user: keystone
    - group: keystone
    - mode: 750
    - makedirs: true
    - require:
      - pkg: keystone_packages
  cmd.run:
    - name: keystone-manage {{ kind }}_setup --keystone-user keystone --keystone-group keystone
    - require:
      - file: keystone_{{ kind }}_keys
      - cmd: keystone_syncdb
{%- endfor %}

keystone_services:
  service.running:
    - name: apache2
    - enable: true
    - require:
      - cmd: keystone_fernet_keys
      - cmd: keystone_credential_keys
    - watch:
      - file: keystone_conf
      - file: keystone_apache_site

keystone_bootstrap:
  cmd.run:
    - name: >-
        keystone-manage bootstrap --bootstrap-username {{ server.admin_name }}
        --bootstrap-project-name {{ server.admin_tenant }} --bootstrap-role-name admin
        --bootstrap-service-name keystone --bootstrap-region-id {{ server.region }}
        --bootstrap-public-url http://{{ server.bind.public_address }}:{{ server.bind.public_port }}/v3
        --bootstrap-internal-url http://{{ server.bind.public_address }}:{{ server.bind.public_port }}/v3
        --bootstrap-admin-url http://{{ server.bind.private_address }}:{{ server.bind.private_port }}/v3
    - env:
      - OS_BOOTSTRAP_PASSWORD: {{ server.admin_password }}
    - runas: keystone
    - require:
      - service: keystone_services

keystone_keystonercv3:
  file.managed:
    - name: /root/keystonercv3
    - source: salt://keystone/files/keystonercv3
    - template: jinja
    - mode: 600
    - show_changes: false

{#- Without an address and a project to write, nothing of the account changes: a change revokes its tokens of the same second, the one
    that this state works with among them. Without connection_endpoint Salt compares the password at 127.0.0.1, where no keystone is,
    takes it for another, and sets it anew each time. #}
keystone_admin_user:
  keystone.user_present:
    - name: {{ server.admin_name }}
    - password: {{ server.admin_password }}
    - email: {{ server.get('admin_email', 'null') }}
    - roles:
        {{ server.admin_tenant }}: [admin]
    - connection_user: {{ server.admin_name }}
    - connection_password: {{ server.admin_password }}
    - connection_tenant: {{ server.admin_tenant }}
    - connection_auth_url: http://{{ server.bind.private_address }}:{{ server.bind.private_port }}/v3
    - connection_endpoint: http://{{ server.bind.private_address }}:{{ server.bind.private_port }}/v3
    - require:
      - cmd: keystone_bootstrap
{{ faults('keystone', unit='apache2', conf='keystone_conf', sync='keystone-manage db_sync') }}
{%- endif %}
