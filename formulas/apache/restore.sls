# Puts back what apache.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
apache_put_back:
  upgrader_kept.put_back:
    - name: apache
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
