{#- What a database node needs to stream a backup to the store: its key, and whom to trust. Values from pillar upgrader:backup:client:target. -#}

backup_folder:
  file.directory:
    - name: /etc/upgrader
    - mode: '0700'

backup_key:
  file.managed:
    - name: /etc/upgrader/backup_key
    - mode: '0600'
    - contents_pillar: upgrader:backup:client:target:private_key
    - show_changes: False
    - require:
      - file: backup_folder

backup_known_hosts:
  file.managed:
    - name: /etc/upgrader/backup_known_hosts
    - mode: '0600'
    - contents: "{{ salt['pillar.get']('upgrader:backup:client:target:host') }} {{ salt['pillar.get']('upgrader:backup:client:target:host_key') }}"
    - require:
      - file: backup_folder
