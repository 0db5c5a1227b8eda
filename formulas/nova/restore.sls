# Puts back what nova.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
nova_put_back:
  upgrader_kept.put_back:
    - name: nova
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
