# Puts back what neutron.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
neutron_put_back:
  upgrader_kept.put_back:
    - name: neutron
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
