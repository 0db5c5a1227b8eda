# Keeps keystone's configuration and keys as they are now, under pillar upgrader:keep:id; the databases are kept by xtrabackup.
{%- from 'keystone/map.jinja' import tokens, credentials with context %}

keystone_kept:
  upgrader_kept.kept:
    - name: keystone
    - id: {{ salt['pillar.get']('upgrader:keep:id', 'by-hand') }}
    - paths: ['/etc/keystone', {{ tokens | json }}, {{ credentials | json }}]
