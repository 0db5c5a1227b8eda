include:
  - nova.controller
