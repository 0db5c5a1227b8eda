# Memcached serves where its pillar says. Changes nothing.
memcached_verified:
  upgrader_serving.verified:
    - name: memcached
