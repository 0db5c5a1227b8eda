# Puts back what keystone.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
keystone_put_back:
  upgrader_kept.put_back:
    - name: keystone
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
