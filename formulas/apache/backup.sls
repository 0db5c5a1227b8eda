# Keeps apache's configuration as it is now, under pillar upgrader:keep:id.
apache_kept:
  upgrader_kept.kept:
    - name: apache
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/apache2']
