# Rabbitmq does not run on this node.
rabbitmq_stopped_rabbitmq-server:
  service.dead:
    - name: rabbitmq-server
    - enable: false
