# Keeps nova's configuration as it is now, under pillar upgrader:keep:id; databases are upgrader.backup's.
{%- from 'upgrader/service.jinja' import kept with context %}
{{ kept('nova', ['/etc/nova']) }}
