# None of neutron's services runs: its databases may be dropped and filled again.
{%- from 'neutron/map.jinja' import neutron with context %}
{%- for unit in neutron.units | sort %}

neutron_stopped_{{ unit }}:
  service.dead:
    - name: {{ unit }}
    - enable: false
{%- endfor %}
