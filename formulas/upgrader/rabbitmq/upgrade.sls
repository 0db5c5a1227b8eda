# Rabbitmq holds no data that Ocata changes (queues are made by the services): its upgrade is its configuration, and the package of the new release.
include:
  - upgrader.rabbitmq
