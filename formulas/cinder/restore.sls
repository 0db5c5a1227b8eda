# Puts back what cinder.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
cinder_put_back:
  upgrader_kept.put_back:
    - name: cinder
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
