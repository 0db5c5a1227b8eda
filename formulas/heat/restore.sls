# Puts back what heat.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
heat_put_back:
  upgrader_kept.put_back:
    - name: heat
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
