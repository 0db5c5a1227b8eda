# Every phase of heat's upgrade is done. Changes nothing.
heat_verified:
  upgrader_schema.verified:
    - service: heat
