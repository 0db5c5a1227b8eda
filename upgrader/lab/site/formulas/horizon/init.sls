include:
  - horizon.server
