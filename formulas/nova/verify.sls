# The copy's databases and what its API lists. Changes nothing.
nova_verified:
  upgrader_nova.verified: []

nova_api_verified:
  upgrader_nova.api_verified:
    - require:
      - upgrader_nova: nova_verified
