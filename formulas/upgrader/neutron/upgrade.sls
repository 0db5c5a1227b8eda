# Neutron's databases through the phases of the release path. A phase that is done is passed over.
{%- from 'upgrader/service.jinja' import upgraded %}
{%- from 'upgrader/neutron/map.jinja' import neutron with context %}
{{ upgraded(neutron) }}
