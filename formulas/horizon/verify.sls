# Horizon serves where its pillar says. Changes nothing.
horizon_verified:
  upgrader_serving.verified:
    - name: horizon
