# Haproxy serves where its pillar says. Changes nothing.
haproxy_verified:
  upgrader_serving.verified:
    - name: haproxy
