include:
  - neutron.server
