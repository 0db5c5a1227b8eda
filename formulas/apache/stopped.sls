# Apache does not run on this node.
apache_stopped_apache2:
  service.dead:
    - name: apache2
    - enable: false
