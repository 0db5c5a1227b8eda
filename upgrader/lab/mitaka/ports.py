"""Neutron's rows that follow the instances: ports with their ML2 bindings, floating addresses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.instances import Ids, Instance
from upgrader.lab.mitaka.shape import DELETED, Shape, generator, uuid4

FLOATING_EVERY = 6
VIF_DETAILS = json.dumps({"port_filter": True, "ovs_hybrid_plug": True})
TABLES = (
    "neutron.standardattributes", "neutron.networks", "neutron.externalnetworks", "neutron.networkrbacs", "neutron.ml2_network_segments",
    "neutron.networksecuritybindings", "neutron.subnets", "neutron.dnsnameservers", "neutron.ipallocationpools",
    "neutron.ipavailabilityranges", "neutron.ports", "neutron.ipallocations", "neutron.ml2_port_bindings", "neutron.ml2_port_binding_levels",
    "neutron.portsecuritybindings", "neutron.routers", "neutron.router_extra_attributes", "neutron.routerports",
    "neutron.routerl3agentbindings", "neutron.networkdhcpagentbindings", "neutron.securitygroups", "neutron.default_security_group",
    "neutron.securitygrouprules", "neutron.securitygroupportbindings", "neutron.floatingips", "neutron.quotas",
)  # fmt: skip


class NeutronRows:
    """Rows of one batch, with neutron's running number of whatever has standard attributes."""

    def __init__(self, shape: Shape, ids: Ids) -> None:
        self.shape, self._ids = shape, ids
        self.tables: Tables = {table: [] for table in TABLES}

    def uuid(self, *parts: object) -> str:
        return uuid4(generator(self.shape.seed, "neutron", *parts))

    def add(self, table: str, **row: Any) -> None:
        self.tables[f"neutron.{table}"].append(row)

    def add_standard(self, table: str, made: datetime, description: str = "", **row: Any) -> None:
        """A row with its standard attributes, which are a table of their own since Mitaka."""
        number = self._ids.next("neutron.standardattributes")
        self.add("standardattributes", id=number, resource_type=table, created_at=made, updated_at=made, description=description)  # fmt: skip
        self.add(table, **row, standard_attr_id=number)

    def subnet(self, network: str) -> str:
        return self.uuid("subnet", network)

    def security_group(self, project: str) -> str:
        return self.uuid("security group", project)

    def segment(self, network: str) -> str:
        return self.uuid("segment", network)

    def agent(self, kind: str, host: str) -> str:
        return self.uuid("agent", kind, host)


def outside(shape: Shape) -> str:
    """The network that floating addresses come from."""
    return uuid4(generator(shape.seed, "neutron", "external network"))


def router(shape: Shape, project: str) -> str:
    return uuid4(generator(shape.seed, "neutron", "router", project))


def add_port(
    cloud: NeutronRows, identity: str, project: str, network: str, made: datetime, owner: tuple[str, str], address: str, number: int, *,
    host: str, mac: str = "", name: str = "", status: str = "ACTIVE",
) -> None:  # fmt: skip
    """A port with its address and its binding; ``number`` makes the MAC when none is given."""
    mac = mac or f"fa:16:3f:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    cloud.add_standard("ports", made, tenant_id=project, id=identity, name=name, network_id=network, mac_address=mac, admin_state_up=1,
                       status=status, device_id=owner[1], device_owner=owner[0], dns_name=None)  # fmt: skip
    cloud.add(
        "ipallocations", port_id=identity, ip_address=address, subnet_id=cloud.subnet(network), network_id=network
    )
    if host:
        cloud.add(
            "ml2_port_bindings",
            port_id=identity,
            host=host,
            vif_type="ovs",
            vnic_type="normal",
            profile="",
            vif_details=VIF_DETAILS,
        )
        cloud.add(
            "ml2_port_binding_levels",
            port_id=identity,
            host=host,
            level=0,
            driver="openvswitch",
            segment_id=cloud.segment(network),
        )
    else:
        cloud.add(
            "ml2_port_bindings",
            port_id=identity,
            host="",
            vif_type="unbound",
            vnic_type="normal",
            profile="",
            vif_details="",
        )
    cloud.add("portsecuritybindings", port_id=identity, port_security_enabled=int(owner[0].startswith("compute:")))


def of_instances(shape: Shape, instances: Sequence[Instance], ids: Ids) -> Tables:
    """The port that nova's network cache names; ports of deleted instances are gone. Every sixth has a floating address."""
    cloud = NeutronRows(shape, ids)
    for instance in instances:
        if not instance.port or instance.state == DELETED or not instance.host:
            continue
        network, owner = shape.network(instance.project), (f"compute:{instance.zone}", instance.uuid)
        add_port(cloud, instance.port, instance.project, network, instance.created, owner, instance.address, 0, host=instance.host,
              mac=instance.mac)  # fmt: skip
        cloud.add(
            "securitygroupportbindings", port_id=instance.port, security_group_id=cloud.security_group(instance.project)
        )
        if instance.number % FLOATING_EVERY == 0:
            _floating(cloud, instance)
    return cloud.tables


def _floating(cloud: NeutronRows, instance: Instance) -> None:
    shape, number = cloud.shape, instance.number + 512
    identity, port = cloud.uuid("floating", instance.number), cloud.uuid("floating port", instance.number)
    address = f"172.{24 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    owner = ("network:floatingip", identity)
    add_port(cloud, port, "", outside(shape), instance.created, owner, address, number, host="", status="N/A")
    cloud.add_standard(
        "floatingips", instance.created, tenant_id=instance.project, id=identity, floating_ip_address=address, floating_network_id=outside(shape),
        floating_port_id=port, fixed_port_id=instance.port, fixed_ip_address=instance.address, router_id=router(shape, instance.project),
        last_known_router_id=None, status="ACTIVE",
    )  # fmt: skip
