# Keeps rabbitmq's configuration as it is now, under pillar upgrader:keep:id.
rabbitmq_kept:
  upgrader_kept.kept:
    - name: rabbitmq
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/rabbitmq']
