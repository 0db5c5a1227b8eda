# Memcached does not run on this node.
memcached_stopped_memcached:
  service.dead:
    - name: memcached
    - enable: false
