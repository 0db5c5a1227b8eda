# Puts back what upgrader.neutron.backup kept under pillar upgrader:keep:id; what is there now is moved aside.
{%- from 'upgrader/service.jinja' import put_back with context %}
{{ put_back('neutron') }}
