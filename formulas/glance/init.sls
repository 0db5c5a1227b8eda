# Glance, installed, configured and running.
include:
  - glance.installed
  - glance.configured
  - glance.running
