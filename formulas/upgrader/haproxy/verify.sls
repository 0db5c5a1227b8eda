# Haproxy serves where its pillar says. Changes nothing.
{%- from 'upgrader/service.jinja' import serving %}
{{ serving('haproxy') }}
