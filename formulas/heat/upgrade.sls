# Heat from Mitaka to Ocata: schema, properties and dead engines, with heat-manage. A phase that is done is passed over.
include:
  - heat.configured

heat_ocata:
  upgrader_schema.phase_done:
    - service: heat
    - phase: ocata
    - require:
      - sls: heat.configured

heat_head:
  upgrader_schema.phase_done:
    - service: heat
    - phase: head
    - require:
      - upgrader_schema: heat_ocata

heat_properties:
  upgrader_schema.phase_done:
    - service: heat
    - phase: properties
    - require:
      - upgrader_schema: heat_head

heat_engines:
  upgrader_schema.phase_done:
    - service: heat
    - phase: engines
    - require:
      - upgrader_schema: heat_properties
