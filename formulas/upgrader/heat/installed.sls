# Heat's code: Ubuntu's packages, or a Python environment that holds exactly these versions.
{%- from 'upgrader/service.jinja' import installed %}
{%- from 'upgrader/heat/map.jinja' import heat with context %}
{{ installed(heat) }}
