# Puts back what horizon.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
horizon_put_back:
  upgrader_kept.put_back:
    - name: horizon
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
