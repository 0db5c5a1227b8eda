# Neutron from Mitaka to Ocata: schema, with neutron-db-manage; nothing where the plugin owns it. A phase that is done is passed over.
include:
  - neutron.configured

neutron_expand:
  upgrader_schema.phase_done:
    - service: neutron
    - phase: expand
    - require:
      - sls: neutron.configured

neutron_contract:
  upgrader_schema.phase_done:
    - service: neutron
    - phase: contract
    - require:
      - upgrader_schema: neutron_expand

neutron_offline_check:
  upgrader_schema.phase_done:
    - service: neutron
    - phase: offline-check
    - require:
      - upgrader_schema: neutron_contract
