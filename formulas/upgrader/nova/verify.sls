# The copy's databases. What its API lists is compared by upgrader_verify.calls, with an account. Changes nothing.
{%- from 'upgrader/service.jinja' import verified %}
{%- from 'upgrader/nova/map.jinja' import nova with context %}
{{ verified(nova) }}
