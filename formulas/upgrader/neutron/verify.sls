# Every phase of neutron's upgrade is done. Changes nothing.
{%- from 'upgrader/service.jinja' import verified %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ verified(neutron) }}
