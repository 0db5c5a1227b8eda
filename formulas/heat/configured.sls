# Heat's configuration. It holds passwords, so no diff is shown and the template reads pillar itself: what a state is
# given as context ends up in the minion's highstate cache.
{%- from 'heat/map.jinja' import conf with context %}

heat_model:
  upgrader_model.complete:
    - role: heat:server

heat_directory_tmp:
  file.directory:
    - name: /var/lib/heat/tmp
    - user: heat
    - group: heat
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: heat_model

heat_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://heat/files/heat.conf.jinja
    - template: jinja
    - user: heat
    - group: heat
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: heat_model
