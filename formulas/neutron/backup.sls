# Keeps neutron's configuration as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
neutron_kept:
  upgrader_kept.kept:
    - name: neutron
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/neutron']
