# Keystone, installed, configured and running.
include:
  - keystone.installed
  - keystone.configured
  - keystone.running
