# Keeps keepalived's configuration as it is now, under pillar upgrader:keep:id.
{%- from 'upgrader/service.jinja' import kept with context %}
{{ kept('keepalived', ['/etc/keepalived']) }}
