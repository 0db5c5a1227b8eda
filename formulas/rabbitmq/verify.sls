# Rabbitmq serves where its pillar says. Changes nothing.
rabbitmq_verified:
  upgrader_serving.verified:
    - name: rabbitmq
