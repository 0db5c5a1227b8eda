include:
  - heat.server
