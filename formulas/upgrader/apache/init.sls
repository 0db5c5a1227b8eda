# The web server before keystone, placement and horizon where services come from packages; each writes its own site.
{%- set server = salt['pillar.get']('apache:server') or {} %}

apache_installed:
  pkg.installed:
    - pkgs:
      - apache2
      - libapache2-mod-wsgi

{%- for site in server.get('sites', ['keystone', 'nova-placement-api']) %}

apache_site_{{ site }}:
  file.symlink:
    - name: /etc/apache2/sites-enabled/{{ site }}.conf
    - target: /etc/apache2/sites-available/{{ site }}.conf
    - require:
      - pkg: apache_installed
    - watch_in:
      - service: apache_running
{%- endfor %}

apache_running:
  service.running:
    - name: apache2
    - enable: {{ server.get('enable', true) }}
    - require:
      - pkg: apache_installed
