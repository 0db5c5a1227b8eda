# Glance's configuration. It holds passwords, so no diff is shown and the template reads pillar itself: what a state is
# given as context ends up in the minion's highstate cache.
{%- from 'glance/map.jinja' import conf with context %}

glance_model:
  upgrader_model.complete:
    - role: glance:server

glance_directory_images:
  file.directory:
    - name: /var/lib/glance/images
    - user: glance
    - group: glance
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: glance_model

glance_directory_tmp:
  file.directory:
    - name: /var/lib/glance/tmp
    - user: glance
    - group: glance
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: glance_model

glance_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://glance/files/glance-api.conf.jinja
    - template: jinja
    - user: glance
    - group: glance
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: glance_model
