# Every phase of keystone's upgrade is done. Changes nothing.
keystone_verified:
  upgrader_schema.verified:
    - service: keystone
