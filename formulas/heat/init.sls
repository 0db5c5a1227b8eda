# Heat, installed, configured and running.
include:
  - heat.installed
  - heat.configured
  - heat.running
