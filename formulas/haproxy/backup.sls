# Keeps haproxy's configuration as it is now, under pillar upgrader:keep:id.
haproxy_kept:
  upgrader_kept.kept:
    - name: haproxy
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/haproxy']
