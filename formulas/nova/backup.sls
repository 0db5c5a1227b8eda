# Keeps nova's configuration as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
nova_kept:
  upgrader_kept.kept:
    - name: nova
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/nova']
