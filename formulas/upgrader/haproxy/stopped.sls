# Haproxy does not run on this node.
{%- from 'upgrader/service.jinja' import stopped %}
{{ stopped('haproxy', ['haproxy']) }}
