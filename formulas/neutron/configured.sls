# Neutron's configuration. It holds passwords, so no diff is shown and the template reads pillar itself: what a state is
# given as context ends up in the minion's highstate cache.
{%- from 'neutron/map.jinja' import conf with context %}

neutron_model:
  upgrader_model.complete:
    - role: neutron:server

neutron_directory_tmp:
  file.directory:
    - name: /var/lib/neutron/tmp
    - user: neutron
    - group: neutron
    - mode: '0750'
    - makedirs: true
    - require:
      - upgrader_model: neutron_model

neutron_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://neutron/files/neutron.conf.jinja
    - template: jinja
    - user: neutron
    - group: neutron
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: neutron_model

neutron_ml2_conf:
  file.managed:
    - name: /etc/neutron/plugins/ml2/ml2_conf.ini
    - source: salt://neutron/files/ml2_conf.ini.jinja
    - template: jinja
    - user: neutron
    - group: neutron
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - upgrader_model: neutron_model
