# Keeps memcached's configuration as it is now, under pillar upgrader:keep:id.
memcached_kept:
  upgrader_kept.kept:
    - name: memcached
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/memcached.conf']
