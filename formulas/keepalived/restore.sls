# Puts back what keepalived.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
keepalived_put_back:
  upgrader_kept.put_back:
    - name: keepalived
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
