# Keeps glance's configuration as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
glance_kept:
  upgrader_kept.kept:
    - name: glance
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/glance']
