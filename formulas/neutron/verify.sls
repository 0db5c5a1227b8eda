# Every phase of neutron's upgrade is done. Changes nothing.
neutron_verified:
  upgrader_schema.verified:
    - service: neutron
