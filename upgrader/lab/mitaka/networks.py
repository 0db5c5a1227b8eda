"""Neutron at 4ffceebfcdc with ML2: agents, the outside network; a network, a router and a security group per project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.instances import Ids
from upgrader.lab.mitaka.ports import NeutronRows, add_port, outside, router
from upgrader.lab.mitaka.shape import CONTROLLERS, TODAY, Shape, hex_id

CIDR, GATEWAY, DHCP_ADDRESS, POOL = "10.0.0.0/8", "10.0.0.1", "10.0.0.2", ("10.0.0.2", "10.255.255.254")
OUTSIDE_CIDR, OUTSIDE_GATEWAY, OUTSIDE_POOL = "172.24.0.0/13", "172.24.0.1", ("172.24.0.10", "172.31.255.254")
VXLAN = 1000  # vni_ranges 1:1000
MTU = 1450
AGENTS = (
    ("L3 agent", "neutron-l3-agent", "l3_agent"),
    ("DHCP agent", "neutron-dhcp-agent", "dhcp_agent"),
    ("Metadata agent", "neutron-metadata-agent", "N/A"),
    ("Open vSwitch agent", "neutron-openvswitch-agent", "N/A"),
)


def fixed(shape: Shape, ids: Ids) -> Tables:
    """Agents, the outside network, and what each project has."""
    cloud = NeutronRows(shape, ids)
    made = TODAY - timedelta(days=850)
    admin = hex_id(shape.seed, "keystone project", "admin")
    _network(cloud, outside(shape), "public", admin, made, ("flat", "physnet1", None), MTU + 50)
    _subnet(cloud, outside(shape), admin, made, OUTSIDE_CIDR, OUTSIDE_GATEWAY, OUTSIDE_POOL, dhcp=0)
    cloud.add("externalnetworks", network_id=outside(shape), is_default=1)
    cloud.add(
        "networkrbacs", id=cloud.uuid("rbac"), object_id=outside(shape), tenant_id=admin, target_tenant="*", action="access_as_external"
    )  # fmt: skip
    for number, project in enumerate(shape.projects):
        _project(cloud, number, project, made)
    endpoints = [
        {"ip_address": _tunnel_address(n), "udp_port": 4789, "host": shape.host(n)} for n in range(1, shape.hosts + 1)
    ]
    vxlan = [{"vxlan_vni": n, "allocated": int(n <= len(shape.projects))} for n in range(1, VXLAN + 1)]
    return {
        "neutron.agents": list(_agents(cloud)),
        "neutron.ml2_flat_allocations": [{"physical_network": "physnet1"}],
        "neutron.ml2_vxlan_allocations": vxlan,
        "neutron.ml2_vxlan_endpoints": endpoints,
        **cloud.tables,
    }


def _tunnel_address(host: int) -> str:
    return f"10.31.{host >> 8}.{host & 255}"


def _agents(cloud: NeutronRows) -> Iterator[dict[str, Any]]:
    shape = cloud.shape
    places = [(controller, kind) for controller in CONTROLLERS for kind in AGENTS]
    places += [(shape.host(number), AGENTS[-1]) for number in range(1, shape.hosts + 1)]
    for host, (kind, binary, topic) in places:
        yield {
            "id": cloud.agent(kind, host), "agent_type": kind, "binary": binary, "topic": topic, "host": host, "admin_state_up": 1,
            "created_at": TODAY - timedelta(days=850), "started_at": TODAY - timedelta(days=90), "heartbeat_timestamp": TODAY,
            "description": None, "configurations": json.dumps({"bridge_mappings": {"physnet1": "br-ex"}, "tunnel_types": ["vxlan"]}),
            "load": 0, "availability_zone": "nova" if kind in ("L3 agent", "DHCP agent") else None, "resource_versions": None,
        }  # fmt: skip


def _project(cloud: NeutronRows, number: int, project: str, made: datetime) -> None:
    """Network and subnet, the router between them and the outside, the DHCP server's port, the default security group."""
    shape = cloud.shape
    network = shape.network(project)
    _network(cloud, network, "net", project, made, ("vxlan", None, number + 1), MTU)
    _subnet(cloud, network, project, made, CIDR, GATEWAY, POOL)
    if number == 0:
        cloud.add("networkrbacs", id=cloud.uuid("share"), object_id=network, tenant_id=project, target_tenant=shape.projects[-1],
                  action="access_as_shared")  # fmt: skip
    _security_group(cloud, project, made)
    _router(cloud, number, project, network, made)
    controller = CONTROLLERS[number % len(CONTROLLERS)]
    server = f"dhcp{cloud.uuid('dhcp', network)}-{network}"
    add_port(
        cloud,
        cloud.uuid("dhcp port", network),
        project,
        network,
        made,
        ("network:dhcp", server),
        DHCP_ADDRESS,
        2,
        host=controller,
    )
    cloud.add("networkdhcpagentbindings", network_id=network, dhcp_agent_id=cloud.agent("DHCP agent", controller))
    for resource in ("port", "floatingip"):
        cloud.add("quotas", id=cloud.uuid("quota", resource, project), tenant_id=project, resource=resource, limit=5000)


def _network(
    cloud: NeutronRows,
    identity: str,
    name: str,
    project: str,
    made: datetime,
    segment: tuple[str, str | None, int | None],
    mtu: int,
) -> None:
    kind, physical, number = segment
    cloud.add_standard("networks", made, "Prüfstand", tenant_id=project, id=identity, name=name, status="ACTIVE", admin_state_up=1, mtu=mtu,
                       vlan_transparent=None, availability_zone_hints="[]")  # fmt: skip
    cloud.add("ml2_network_segments", id=cloud.segment(identity), network_id=identity, network_type=kind, physical_network=physical,
              segmentation_id=number, is_dynamic=0, segment_index=0)  # fmt: skip
    cloud.add("networksecuritybindings", network_id=identity, port_security_enabled=1)


def _subnet(
    cloud: NeutronRows,
    network: str,
    project: str,
    made: datetime,
    cidr: str,
    gateway: str,
    pool: tuple[str, str],
    dhcp: int = 1,
) -> None:
    identity, place = cloud.subnet(network), cloud.uuid("pool", network)
    cloud.add_standard("subnets", made, tenant_id=project, id=identity, name="subnet", network_id=network, ip_version=4, cidr=cidr,
                       gateway_ip=gateway, enable_dhcp=dhcp, ipv6_ra_mode=None, ipv6_address_mode=None, subnetpool_id=None)  # fmt: skip
    cloud.add("ipallocationpools", id=place, subnet_id=identity, first_ip=pool[0], last_ip=pool[1])
    cloud.add("ipavailabilityranges", allocation_pool_id=place, first_ip=pool[0], last_ip=pool[1])
    if dhcp:
        cloud.add("dnsnameservers", address="10.20.0.1", subnet_id=identity, order=0)


def _security_group(cloud: NeutronRows, project: str, made: datetime) -> None:
    group = cloud.security_group(project)
    cloud.add_standard("securitygroups", made, "Default security group", tenant_id=project, id=group, name="default")
    cloud.add("default_security_group", tenant_id=project, security_group_id=group)
    rules: list[tuple[str, str, str | None, int | None, str | None]] = [
        *(("ingress", family, None, None, group) for family in ("IPv4", "IPv6")),
        *(("egress", family, None, None, None) for family in ("IPv4", "IPv6")),
        ("ingress", "IPv4", "tcp", 22, None),
        ("ingress", "IPv4", "icmp", None, None),
    ]
    for number, (direction, family, protocol, port, remote) in enumerate(rules):
        prefix = "0.0.0.0/0" if protocol else None
        cloud.add_standard("securitygrouprules", made, tenant_id=project, id=cloud.uuid("rule", project, number), security_group_id=group,
                           remote_group_id=remote, direction=direction, ethertype=family, protocol=protocol, port_range_min=port,
                           port_range_max=port, remote_ip_prefix=prefix)  # fmt: skip


def _router(cloud: NeutronRows, number: int, project: str, network: str, made: datetime) -> None:
    shape, identity = cloud.shape, router(cloud.shape, project)
    inside, gateway = cloud.uuid("router port", project), cloud.uuid("gateway port", project)
    controller = CONTROLLERS[number % len(CONTROLLERS)]
    owner = ("network:router_gateway", identity)
    # The gateway's port belongs to nobody: the project shall not see it.
    add_port(cloud, gateway, "", outside(shape), made, owner, f"172.24.1.{number + 1}", number + 10, host=controller)
    add_port(cloud, inside, project, network, made, ("network:router_interface", identity), GATEWAY, 1, host=controller)
    cloud.add_standard("routers", made, tenant_id=project, id=identity, name="router", status="ACTIVE", admin_state_up=1, gw_port_id=gateway,
                       enable_snat=1)  # fmt: skip
    cloud.add(
        "router_extra_attributes",
        router_id=identity,
        distributed=0,
        service_router=0,
        ha=0,
        ha_vr_id=0,
        availability_zone_hints="[]",
    )
    cloud.add("routerports", router_id=identity, port_id=gateway, port_type="network:router_gateway")
    cloud.add("routerports", router_id=identity, port_id=inside, port_type="network:router_interface")
    cloud.add("routerl3agentbindings", router_id=identity, l3_agent_id=cloud.agent("L3 agent", controller))
