# Keeps cinder's configuration as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
cinder_kept:
  upgrader_kept.kept:
    - name: cinder
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/cinder']
