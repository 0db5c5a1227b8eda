# None of neutron's services runs: its databases may be dropped and filled again.
{%- from 'upgrader/service.jinja' import stopped %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ stopped('neutron', neutron.units) }}
