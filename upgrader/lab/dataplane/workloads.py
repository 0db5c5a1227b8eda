"""Networks, routers, floating IPs and instances on the lab's computes, one of everything that a packet may go through.

`upgrader lab workloads` runs this on the Salt master once the control plane is Ocata's. What is there by its name stays.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from upgrader.lab.dataplane.api import Cloud, wait_for
from upgrader.lab.dataplane.paths import Workload, paths

# The smallest flavor that the image fits into.
OUTSIDE, FLAVOR, IMAGE = "public", "m1.small", "ubuntu-16.04"
# Name -> (range, router); the routers with whether they are distributed.
NETWORKS = {
    "lab-one": ("192.168.1.0/24", "lab-dvr"),
    "lab-two": ("192.168.2.0/24", "lab-dvr"),
    "lab-old": ("192.168.3.0/24", "lab-legacy"),
}
ROUTERS = {"lab-dvr": True, "lab-legacy": False}
AGENTS = {"Open vSwitch agent": "neutron-openvswitch-agent", "L3 agent": "neutron-l3-agent"}
BOOT_SECONDS, AGENT_SECONDS = 180, 600


@dataclass(frozen=True)
class Wanted:
    """An instance: where it runs, in which network, and whether it has a floating IP."""

    name: str
    host: str
    network: str
    floating: bool = False


SERVERS = (
    Wanted("lab-a", "cmp001", "lab-one", floating=True),
    Wanted("lab-b", "cmp001", "lab-one"),
    Wanted("lab-c", "cmp002", "lab-one", floating=True),
    Wanted("lab-d", "cmp003", "lab-two", floating=True),
    Wanted("lab-e", "cmp003", "lab-old", floating=True),
    Wanted("lab-f", "cmp004", "lab-two"),
    Wanted("lab-g", "cmp004", "lab-old"),
    Wanted("lab-h", "cmp002", "lab-two"),
)


def fill(cloud: Cloud, hosts: list[str], gateways: list[str]) -> list[Workload]:
    """Everything, in an order in which each finds what it needs; returns the instances with their addresses."""
    wait_for("agents of the network", AGENT_SECONDS, lambda: _silent_agents(cloud, hosts, gateways))
    wait_for("nova-compute on every compute", AGENT_SECONDS, lambda: _silent_computes(cloud, hosts))
    outside = _one(cloud, "networks", OUTSIDE)["id"]
    routers = {name: _router(cloud, name, outside, distributed) for name, distributed in ROUTERS.items()}
    networks = {name: _network(cloud, name, cidr, routers[router]) for name, (cidr, router) in NETWORKS.items()}
    _open_security_group(cloud)
    return [_server(cloud, one, networks[one.network], outside) for one in SERVERS]


def _silent_agents(cloud: Cloud, hosts: list[str], gateways: list[str]) -> str:
    alive = {(one["agent_type"], one["host"]) for one in cloud.get("network", "agents")["agents"] if one["alive"]}
    wanted = {(kind, host) for kind in AGENTS for host in (*hosts, *gateways)}
    wanted |= {("DHCP agent", host) for host in gateways}
    return ", ".join(f"{kind} of {host}" for kind, host in sorted(wanted - alive))


def _silent_computes(cloud: Cloud, hosts: list[str]) -> str:
    told = cloud.get("compute", "os-services?binary=nova-compute")["services"]
    up = {one["host"] for one in told if one["state"] == "up"}
    return ", ".join(sorted(set(hosts) - up))


def _all(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = cloud.get("network", kind)[kind.replace("-", "_")]
    return held


def _one(cloud: Cloud, kind: str, name: str) -> dict[str, Any]:
    return next(one for one in _all(cloud, kind) if one["name"] == name)


def _made(cloud: Cloud, kind: str, name: str, **values: object) -> dict[str, Any]:
    """The one of that name, made now when there is none."""
    for one in _all(cloud, kind):
        if one["name"] == name:
            return one
    single = kind.removesuffix("s")
    made: dict[str, Any] = cloud.call("POST", "network", kind, {single: {"name": name, **values}})[single]
    return made


def _router(cloud: Cloud, name: str, outside: str, distributed: bool) -> str:
    gateway = {"network_id": outside}
    return str(_made(cloud, "routers", name, distributed=distributed, ha=False, external_gateway_info=gateway)["id"])


def _network(cloud: Cloud, name: str, cidr: str, router: str) -> str:
    network = str(_made(cloud, "networks", name)["id"])
    subnet = str(_made(cloud, "subnets", name, network_id=network, cidr=cidr, ip_version=4)["id"])
    ports = [port for port in _all(cloud, "ports") if port["device_id"] == router]
    if not any(ip["subnet_id"] == subnet for port in ports for ip in port["fixed_ips"]):
        cloud.call("PUT", "network", f"routers/{router}/add_router_interface", {"subnet_id": subnet})
    return network


def _open_security_group(cloud: Cloud) -> None:
    """Pings come in, and ssh: the administrator's default group, which is that of his project."""
    project = _one(cloud, "networks", "lab-one")["tenant_id"]
    group = next(
        one for one in _all(cloud, "security-groups") if (one["name"], one["tenant_id"]) == ("default", project)
    )
    for protocol in ("icmp", "tcp"):
        if not any(
            rule["protocol"] == protocol and not rule["remote_group_id"] for rule in group["security_group_rules"]
        ):
            rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol, "security_group_id": group["id"]}
            cloud.call("POST", "network", "security-group-rules", {"security_group_rule": rule})


def _server(cloud: Cloud, wanted: Wanted, network: str, outside: str) -> Workload:
    # By name: both services answer a page only, and a larger cloud has more than that.
    asked = cloud.get("compute", f"servers?name=^{wanted.name}$")["servers"]
    held = [one for one in asked if one["name"] == wanted.name]
    server = str(held[0]["id"] if held else _boot(cloud, wanted, network))
    wait_for(f"instance {wanted.name} on {wanted.host}", BOOT_SECONDS, lambda: _not_active(cloud, server))
    port = next(port for port in _all(cloud, "ports") if port["device_id"] == server)
    floating = _floating(cloud, port["id"], outside) if wanted.floating else ""
    address = str(port["fixed_ips"][0]["ip_address"])
    return Workload(wanted.name, server, wanted.host, wanted.network, address, floating)


def _boot(cloud: Cloud, wanted: Wanted, network: str) -> str:
    flavor = next(one["id"] for one in cloud.get("compute", "flavors")["flavors"] if one["name"] == FLAVOR)
    image = next(one["id"] for one in cloud.get("image", f"images?name={IMAGE}")["images"])
    asked = {
        "name": wanted.name, "flavorRef": flavor, "imageRef": image, "networks": [{"uuid": network}],
        "availability_zone": f"nova:{wanted.host}",
    }  # fmt: skip
    return str(cloud.call("POST", "compute", "servers", {"server": asked})["server"]["id"])


def _not_active(cloud: Cloud, server: str) -> str:
    told = cloud.get("compute", f"servers/{server}")["server"]
    return "" if told["status"] == "ACTIVE" else f"{told['status']} {told.get('fault', {}).get('message', '')}"


def _floating(cloud: Cloud, port: str, outside: str) -> str:
    held = [one for one in _all(cloud, "floatingips") if one["port_id"] == port]
    if not held:
        asked = {"floatingip": {"floating_network_id": outside, "port_id": port}}
        held = [cloud.call("POST", "network", "floatingips", asked)["floatingip"]]
    return str(held[0]["floating_ip_address"])


def main(hosts: str, gateways: str) -> None:
    made = fill(Cloud(), hosts.split(","), gateways.split(","))
    told = {"instances": [vars(one) for one in made], "paths": [vars(one) for one in paths(made)]}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
