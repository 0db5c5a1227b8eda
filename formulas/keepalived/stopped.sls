# Keepalived does not run on this node.
keepalived_stopped_keepalived:
  service.dead:
    - name: keepalived
    - enable: false
