# Puts back what rabbitmq.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
rabbitmq_put_back:
  upgrader_kept.put_back:
    - name: rabbitmq
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
