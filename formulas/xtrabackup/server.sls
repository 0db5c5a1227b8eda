{#- The backup store: a user that may do one thing, with keys from pillar xtrabackup:server:key. -#}
{%- set server = salt['pillar.get']('xtrabackup:server', {}) %}
{%- set store = server.get('backup_dir', '/srv/backup/upgrader') %}

xtrabackup_user:
  user.present:
    - name: xtrabackup
    - system: True
    - home: {{ store }}
    - createhome: False
    - shell: /bin/sh

xtrabackup_store:
  file.directory:
    - name: {{ store }}
    - user: xtrabackup
    - group: xtrabackup
    - mode: '0700'
    - makedirs: True
    - require:
      - user: xtrabackup_user

xtrabackup_receiver:
  file.managed:
    - name: /usr/local/sbin/upgrader-receive
    - source: salt://xtrabackup/files/upgrader-receive
    - mode: '0755'

xtrabackup_authorized_keys:
  file.managed:
    - name: /etc/ssh/upgrader_backup_keys
    - mode: '0644'
    - contents: |
        {%- for name, key in server.get('key', {}) | dictsort if key.get('enabled', True) %}
        restrict,command="/usr/local/sbin/upgrader-receive {{ store }}" {{ key.key }} {{ name }}
        {%- endfor %}

xtrabackup_sshd:
  file.managed:
    - name: /etc/ssh/sshd_config.d/50-upgrader-backup.conf
    - mode: '0644'
    - contents: |
        Match User xtrabackup
            AuthorizedKeysFile /etc/ssh/upgrader_backup_keys
            PasswordAuthentication no
            ClientAliveInterval 15
            ClientAliveCountMax 4
  service.running:
    - name: ssh
    - enable: True
    - reload: True
    - watch:
      - file: xtrabackup_sshd
