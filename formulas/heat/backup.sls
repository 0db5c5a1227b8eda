# Keeps heat's configuration as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
heat_kept:
  upgrader_kept.kept:
    - name: heat
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/heat']
