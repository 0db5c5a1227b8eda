# Horizon does not run on this node.
horizon_stopped_apache2:
  service.dead:
    - name: apache2
    - enable: false
