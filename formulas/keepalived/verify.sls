# Keepalived serves where its pillar says. Changes nothing.
keepalived_verified:
  upgrader_serving.verified:
    - name: keepalived
