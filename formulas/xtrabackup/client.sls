{#- What a database node needs to stream a backup to the store: its key, and whom to trust. Values from pillar xtrabackup:client:target. -#}

xtrabackup_folder:
  file.directory:
    - name: /etc/upgrader
    - mode: '0700'

xtrabackup_key:
  file.managed:
    - name: /etc/upgrader/backup_key
    - mode: '0600'
    - contents_pillar: xtrabackup:client:target:private_key
    - show_changes: False
    - require:
      - file: xtrabackup_folder

xtrabackup_known_hosts:
  file.managed:
    - name: /etc/upgrader/backup_known_hosts
    - mode: '0600'
    - contents: "{{ salt['pillar.get']('xtrabackup:client:target:host') }} {{ salt['pillar.get']('xtrabackup:client:target:host_key') }}"
    - require:
      - file: xtrabackup_folder
