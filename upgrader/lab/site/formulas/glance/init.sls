include:
  - glance.server
