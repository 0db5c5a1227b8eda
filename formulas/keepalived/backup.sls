# Keeps keepalived's configuration as it is now, under pillar upgrader:keep:id.
keepalived_kept:
  upgrader_kept.kept:
    - name: keepalived
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/keepalived']
