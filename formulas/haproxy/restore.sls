# Puts back what haproxy.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
haproxy_put_back:
  upgrader_kept.put_back:
    - name: haproxy
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
