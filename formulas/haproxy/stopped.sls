# Haproxy does not run on this node.
haproxy_stopped_haproxy:
  service.dead:
    - name: haproxy
    - enable: false
