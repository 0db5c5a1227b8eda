include:
  - apache.server
