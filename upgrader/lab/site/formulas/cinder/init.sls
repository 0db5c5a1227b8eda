include:
  - cinder.controller
