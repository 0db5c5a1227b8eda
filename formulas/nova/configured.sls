# nova.conf that names the copy's databases and its own queue, and nothing else. It holds passwords, so no diff is shown
# and the template reads pillar itself: what a state is given as context ends up in the minion's highstate cache.
{%- set controller = salt['pillar.get']('nova:controller', {}) %}
{%- set conf = controller.get('config_file', '/etc/nova/nova.conf') %}

nova_state_directory:
  file.directory:
    - name: /var/lib/nova/tmp
    - user: nova
    - group: nova
    - mode: '0750'
    - makedirs: true

nova_conf:
  file.managed:
    - name: {{ conf }}
    - source: salt://nova/files/nova.conf.jinja
    - template: jinja
    - user: nova
    - group: nova
    - mode: '0600'
    - makedirs: true
    - show_changes: false
    - require:
      - file: nova_state_directory
