"""The services whose databases this version can take through an upgrade: the one table, above all of them."""

import typing

from upgrader_node.nova import service as nova
from upgrader_node.schema.services import cinder, glance, heat, keystone, neutron
from upgrader_node.schema.session import Service

SERVICES: typing.Mapping[str, Service] = {
    "keystone": keystone.SERVICE,
    "glance": glance.SERVICE,
    "nova": nova.SERVICE,
    "cinder": cinder.SERVICE,
    "neutron": neutron.SERVICE,
    "heat": heat.SERVICE,
}
