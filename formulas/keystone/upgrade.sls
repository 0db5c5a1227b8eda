# Keystone from Mitaka to Ocata: keys, schema and rows, with keystone-manage. A phase that is done is passed over.
include:
  - keystone.configured

keystone_credential_keys:
  upgrader_schema.phase_done:
    - service: keystone
    - phase: credential-keys
    - require:
      - sls: keystone.configured

keystone_expand:
  upgrader_schema.phase_done:
    - service: keystone
    - phase: expand
    - require:
      - upgrader_schema: keystone_credential_keys

keystone_migrate:
  upgrader_schema.phase_done:
    - service: keystone
    - phase: migrate
    - require:
      - upgrader_schema: keystone_expand

keystone_contract:
  upgrader_schema.phase_done:
    - service: keystone
    - phase: contract
    - require:
      - upgrader_schema: keystone_migrate

keystone_credentials:
  upgrader_schema.phase_done:
    - service: keystone
    - phase: credentials
    - require:
      - upgrader_schema: keystone_contract

keystone_tokens:
  upgrader_schema.phase_done:
    - service: keystone
    - phase: tokens
    - require:
      - upgrader_schema: keystone_credentials
