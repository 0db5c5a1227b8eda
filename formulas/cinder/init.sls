# Cinder, installed, configured and running.
include:
  - cinder.installed
  - cinder.configured
  - cinder.running
