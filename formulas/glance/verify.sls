# Every phase of glance's upgrade is done. Changes nothing.
glance_verified:
  upgrader_schema.verified:
    - service: glance
