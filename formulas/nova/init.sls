# Nova, installed, configured and running.
include:
  - nova.installed
  - nova.configured
  - nova.running
