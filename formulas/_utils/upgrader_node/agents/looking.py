"""What the APIs say of some hosts: their compute services, network agents, instances and resource providers. Reads only."""

import typing
from urllib.parse import quote

from upgrader_node.smoke.services import COMPUTE, same
from upgrader_node.verify.client import Answer, Client
from upgrader_node.verify.resources import RESOURCES

SECONDS = 120.0
_SERVERS = next(one for one in RESOURCES if one.name == "servers")
FIELDS = {"status": "status", "vm_state": "OS-EXT-STS:vm_state", "power_state": "OS-EXT-STS:power_state"}
Hosts = typing.Sequence[str]


def look(cloud: Client, hosts: Hosts, without: typing.Container[str] = (), whole: bool = True) -> Answer:
    """By host as it was named: what there is. ``whole`` is with instances and providers. Raises CallFailed."""
    services = [one for one in _services(cloud) if one["binary"] == COMPUTE]
    agents = [] if "neutron" in without else list_agents(cloud)
    names = computes(cloud) if whole else {}
    found = {}  # type: typing.Dict[str, Answer]
    for host in hosts:
        of_host = [one for one in services if same(one["host"], host)]
        found[host] = {
            "compute": _service(of_host[0]) if of_host else None,
            "agents": [_agent(one) for one in agents if same(one["host"], host)],
        }
        if whole and of_host:
            name = of_host[0]["host"]
            found[host].update(servers=servers(cloud, name), provider=_provider(cloud, names.get(name, "")))
    return found


def _services(cloud: Client) -> typing.List[Answer]:
    return list(cloud.call("GET", "compute", "/os-services", SECONDS)["services"])


def _service(one: Answer) -> Answer:
    return {
        "host": one["host"],
        "up": one["state"] == "up",
        "enabled": one["status"] == "enabled",
        "reason": one.get("disabled_reason") or "",
    }


def alive(cloud: Client, without: typing.Container[str] = ()) -> Answer:
    """Every service of nova's and every network agent, and whether the APIs hear of it."""
    services = [dict(_service(one), binary=one["binary"]) for one in _services(cloud)]
    agents = [] if "neutron" in without else [dict(_agent(one), host=one["host"]) for one in list_agents(cloud)]
    return {"services": services, "agents": agents}


def list_agents(cloud: Client) -> typing.List[Answer]:
    """Every network agent."""
    return list(cloud.call("GET", "network", "/v2.0/agents", SECONDS)["agents"])


def _agent(one: Answer) -> Answer:
    return {"id": one["id"], "binary": one["binary"], "alive": bool(one["alive"]), "meant": bool(one["admin_state_up"])}


def servers(cloud: Client, host: str = "") -> typing.Dict[str, Answer]:
    """By id, how the instances of a host are, as nova names it; those of all hosts without one."""
    path = "/servers/detail?all_tenants=1&limit=1000" + ("&host=" + quote(host, safe="") if host else "")
    return {
        one["id"]: dict({key: one.get(name) for key, name in FIELDS.items()}, host=one.get("OS-EXT-SRV-ATTR:host"))
        for one in cloud.pages(_SERVERS._replace(path=path))
    }


def computes(cloud: Client) -> typing.Dict[str, str]:
    """By host of nova-compute, what the hypervisor is called there, and so its resource provider."""
    listed = cloud.call("GET", "compute", "/os-hypervisors/detail", SECONDS)["hypervisors"]
    return {one["service"]["host"]: one["hypervisor_hostname"] for one in listed}


def _provider(cloud: Client, name: str) -> str:
    """Id of the resource provider of that name, or ""."""
    if not name:
        return ""
    path = "/resource_providers?name=" + quote(name, safe="")
    listed = cloud.call("GET", "placement", path, SECONDS)["resource_providers"]
    return str(listed[0]["uuid"]) if listed else ""


def providers(cloud: Client) -> typing.Dict[str, str]:
    """Every resource provider: name to id."""
    listed = cloud.call("GET", "placement", "/resource_providers", SECONDS)["resource_providers"]
    return {one["name"]: one["uuid"] for one in listed}


def allocations(cloud: Client, provider: str) -> typing.List[str]:
    """Ids of what has allocations from a provider."""
    path = "/resource_providers/{}/allocations".format(provider)
    return list(cloud.call("GET", "placement", path, SECONDS)["allocations"])
