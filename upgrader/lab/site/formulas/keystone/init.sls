include:
{%- if pillar.get('keystone', {}).get('server') %}
  - keystone.server
{%- endif %}
{%- if pillar.get('keystone', {}).get('client') %}
  - keystone.client
{%- endif %}
