{%- from 'lab_site/faults.jinja' import faults with context %}
{%- if pillar['apache']['server'].enabled %}
apache_packages:
  pkg.installed:
    - pkgs: [apache2, libapache2-mod-wsgi]

apache_conf:
  file.managed:
    - name: /etc/apache2/conf-enabled/site.conf
    - contents: ServerName {{ grains['id'] }}
    - require:
      - pkg: apache_packages

apache_services:
  service.running:
    - name: apache2
    - enable: true
    - watch:
      - file: apache_conf
{{ faults('apache', unit='apache2', conf='apache_conf') }}
{%- endif %}
