# Keeps horizon's configuration as it is now, under pillar upgrader:keep:id.
horizon_kept:
  upgrader_kept.kept:
    - name: horizon
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/openstack-dashboard']
