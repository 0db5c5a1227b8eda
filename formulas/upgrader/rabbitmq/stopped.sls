# Rabbitmq does not run on this node.
{%- from 'upgrader/service.jinja' import stopped %}
{{ stopped('rabbitmq', ['rabbitmq-server']) }}
