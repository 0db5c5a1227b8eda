"""Pillar roles, in the words of salt-formulas, of the OpenStack services that have a database of their own."""

ROLE_OF = {
    "keystone": "keystone:server",
    "glance": "glance:server",
    "nova": "nova:controller",
    "cinder": "cinder:controller",
    "neutron": "neutron:server",
    "heat": "heat:server",
}
