{#- Fills keystone: projects, their users, services and endpoints, from keystone:client:server. -#}
{%- from 'lab_site/faults.jinja' import faults with context %}
{%- for server_name, server in pillar['keystone']['client'].get('server', {}).items() %}
{%- set admin = server.admin %}
{%- macro connection() %}
    - connection_user: {{ admin.user }}
    - connection_password: {{ admin.password }}
    - connection_tenant: {{ admin.project }}
    - connection_auth_url: {{ admin.get('protocol', 'http') }}://{{ admin.host }}:{{ admin.port }}/v3
    - connection_endpoint: {{ admin.get('protocol', 'http') }}://{{ admin.host }}:{{ admin.port }}/v3
{%- endmacro %}
{%- for role in server.get('roles', []) %}
keystone_role_{{ role }}:
  keystone.role_present:
    - name: {{ role }}
{{- connection() }}
{%- endfor %}
{%- for project_name, project in server.get('project', {}).items() %}
keystone_project_{{ project_name }}:
  keystone.tenant_present:
    - name: {{ project_name }}
    - description: {{ project.get('description', project_name) }}
{{- connection() }}
{%- for user_name, user in project.get('user', {}).items() %}
keystone_user_{{ user_name }}:
  keystone.user_present:
    - name: {{ user_name }}
    - password: {{ user.password }}
    - email: {{ user.get('email', 'null') }}
    - roles:
        {{ project_name }}: [{{ 'admin' if user.get('is_admin') else '_member_' }}]
{{- connection() }}
    - require:
      - keystone: keystone_project_{{ project_name }}
{%- endfor %}
{%- endfor %}
{%- for service_name, service in server.get('service', {}).items() %}
keystone_service_{{ service_name }}:
  keystone.service_present:
    - name: {{ service_name }}
    - service_type: {{ service.type }}
    - description: {{ service.description }}
{{- connection() }}
{%- for endpoint in service.get('endpoints', []) %}
{%- for interface in ('public', 'internal', 'admin') %}
keystone_endpoint_{{ service_name }}_{{ interface }}_{{ loop.index }}:
  keystone.endpoint_present:
    - name: {{ service_name }}
    - region: {{ endpoint.region }}
    - interface: {{ interface }}
    - url: http://{{ endpoint[interface ~ '_address'] }}:{{ endpoint[interface ~ '_port'] }}{{ endpoint[interface ~ '_path'] }}
{{- connection() }}
    - require:
      - keystone: keystone_service_{{ service_name }}
{%- endfor %}
{%- endfor %}
{%- endfor %}
{%- endfor %}
keystone_client_packages:
  pkg.installed:
    - pkgs: [python-keystoneclient, python-openstackclient]
