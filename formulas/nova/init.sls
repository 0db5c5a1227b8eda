include:
  - nova.configured
  - nova.running
