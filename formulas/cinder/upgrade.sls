# Cinder from Mitaka to Ocata: schema by Newton's, online migrations and Mitaka's services, with cinder-manage. A phase that is done is passed over.
include:
  - cinder.configured

cinder_newton:
  upgrader_schema.phase_done:
    - service: cinder
    - phase: newton
    - require:
      - sls: cinder.configured

cinder_ocata:
  upgrader_schema.phase_done:
    - service: cinder
    - phase: ocata
    - require:
      - upgrader_schema: cinder_newton

cinder_online:
  upgrader_schema.phase_done:
    - service: cinder
    - phase: online
    - require:
      - upgrader_schema: cinder_ocata

cinder_services:
  upgrader_schema.phase_done:
    - service: cinder
    - phase: services
    - require:
      - upgrader_schema: cinder_online
