# Every phase of cinder's upgrade is done. Changes nothing.
cinder_verified:
  upgrader_schema.verified:
    - service: cinder
