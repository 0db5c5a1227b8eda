# Apache does not run on this node.
{%- from 'upgrader/service.jinja' import stopped %}
{{ stopped('apache', ['apache2']) }}
