# Puts back what glance.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
glance_put_back:
  upgrader_kept.put_back:
    - name: glance
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
