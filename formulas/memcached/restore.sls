# Puts back what memcached.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
memcached_put_back:
  upgrader_kept.put_back:
    - name: memcached
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
