# Cinder's configuration. It holds passwords, so no diff is shown and the template reads pillar itself: what a state is
# given as context ends up in the minion's highstate cache.
{%- from 'cinder/map.jinja' import conf with context %}

cinder_model:
  upgrader_model.complete:
    - role: cinder:controller

cinder_directory_tmp:
  file.directory:
    - name: /var/lib/cinder/tmp
    - user: cinder
    - group: cinder
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: cinder_model

cinder_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://cinder/files/cinder.conf.jinja
    - template: jinja
    - user: cinder
    - group: cinder
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: cinder_model
