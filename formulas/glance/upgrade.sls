# Glance from Mitaka to Ocata: schema and metadata definitions, with glance-manage. A phase that is done is passed over.
include:
  - glance.configured

glance_schema:
  upgrader_schema.phase_done:
    - service: glance
    - phase: schema
    - require:
      - sls: glance.configured

glance_metadefs:
  upgrader_schema.phase_done:
    - service: glance
    - phase: metadefs
    - require:
      - upgrader_schema: glance_schema
