# The proxy before the services, from pillar haproxy:proxy. A configuration that haproxy itself refuses is never put in place.
{%- set proxy = salt['pillar.get']('haproxy:proxy') or {} %}

haproxy_model:
  upgrader_model.complete:
    - role: haproxy:proxy

haproxy_installed:
  pkg.installed:
    - name: haproxy
    - require:
      - upgrader_model: haproxy_model

haproxy_conf:
  file.managed:
    - name: /etc/haproxy/haproxy.cfg
    - source: salt://upgrader/haproxy/files/haproxy.cfg.jinja
    - template: jinja
    - mode: '0600'
    - show_changes: false
    - check_cmd: haproxy -c -f
    - tmp_ext: .cfg
    - require:
      - pkg: haproxy_installed

haproxy_running:
  service.running:
    - name: haproxy
    - enable: {{ proxy.get('enable', true) }}
    - reload: true
    - watch:
      - file: haproxy_conf
