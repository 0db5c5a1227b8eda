{#- The backup store: a user that may do one thing, with keys from pillar upgrader:backup:server:key.
    Written for sshd 6.6 on: ``restrict`` came with 7.2 and a key whose options are not known opens nothing. -#}
{%- set server = salt['pillar.get']('upgrader:backup:server', {}) %}
{%- set store = server.get('backup_dir', '/srv/backup/upgrader') %}

backup_user:
  user.present:
    - name: upgrader-backup
    - system: True
    - home: {{ store }}
    - createhome: False
    - shell: /bin/sh

backup_store:
  file.directory:
    - name: {{ store }}
    - user: upgrader-backup
    - group: upgrader-backup
    - mode: '0700'
    - makedirs: True
    - require:
      - user: backup_user

backup_receiver:
  file.managed:
    - name: /usr/local/sbin/upgrader-receive
    - source: salt://upgrader/backup/files/upgrader-receive
    - mode: '0755'

backup_authorized_keys:
  file.managed:
    - name: /etc/ssh/upgrader_backup_keys
    - mode: '0644'
    - contents: |
        {%- for name, key in server.get('key', {}) | dictsort if key.get('enabled', True) %}
        no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc,command="/usr/local/sbin/upgrader-receive {{ store }}" {{ key.key }} {{ name }}
        {%- endfor %}

{#- sshd reads a folder of files from 8.2 on, and only where its own file includes it. -#}
{%- set rules %}Match User upgrader-backup
    AuthorizedKeysFile /etc/ssh/upgrader_backup_keys
    PasswordAuthentication no
    ClientAliveInterval 15
    ClientAliveCountMax 4
{%- endset %}

backup_sshd:
  {%- if salt['file.search']('/etc/ssh/sshd_config', '^\\s*Include\\s+/etc/ssh/sshd_config\\.d/', ignore_if_missing=True) %}
  file.managed:
    - name: /etc/ssh/sshd_config.d/50-upgrader-backup.conf
    - mode: '0644'
    - contents: |
        {{ rules | indent(8) }}
  {%- else %}
  file.blockreplace:
    - name: /etc/ssh/sshd_config
    - marker_start: '# begin of upgrader: the backup store'
    - marker_end: '# end of upgrader'
    - append_if_not_found: True
    - content: |
        {{ rules | indent(8) }}
        Match all
  {%- endif %}
  service.running:
    - name: ssh
    - enable: True
    - reload: True
    - watch:
      - file: backup_sshd
