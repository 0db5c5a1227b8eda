# Neutron, installed, configured and running.
include:
  - neutron.installed
  - neutron.configured
  - neutron.running
