# Keeps keystone's configuration and keys as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
keystone_kept:
  upgrader_kept.kept:
    - name: keystone
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/keystone', '/var/lib/keystone/fernet-keys', '/var/lib/keystone/credential-keys']
