"""What a gateway hosts given to other agents before it is worked on, and back: legacy routers, SNAT of distributed ones, DHCP.

A router that is highly available fails over by itself, and a network that another DHCP agent serves as well needs no move. What no
other agent can take stays, and is named.
"""

import typing

from upgrader_node.agents import looking
from upgrader_node.smoke.services import same
from upgrader_node.verify.client import Answer, CallFailed, Client

L3, DHCP = "neutron-l3-agent", "neutron-dhcp-agent"
KINDS = {
    L3: ("l3-routers", "routers", "router_id", "routers/{}/l3-agents"),
    DHCP: ("dhcp-networks", "networks", "network_id", "networks/{}/dhcp-agents"),
}
MODES = {False: ("legacy", "dvr_snat"), True: ("dvr_snat",)}
"""Modes of L3 agents that take a router, by whether it is distributed."""
CONFLICT = 409


def plan(cloud: Client, host: str) -> Answer:
    """What is to be moved, from which agent to which, and what stays, in words. Changes nothing."""
    agents = looking.list_agents(cloud)
    moves, stays = [], []  # type: typing.Tuple[typing.List[Answer], typing.List[str]]
    load = {one["id"]: 0 for one in agents}
    for agent in agents:
        if agent["binary"] in KINDS and same(agent["host"], host):
            for item in _hosted(cloud, agent):
                _place(cloud, agents, agent, item, load, moves, stays)
    return {"moves": moves, "stays": stays}


def _hosted(cloud: Client, agent: Answer) -> typing.List[Answer]:
    path, key = KINDS[agent["binary"]][:2]
    return list(cloud.call("GET", "network", "/v2.0/agents/{}/{}".format(agent["id"], path), looking.SECONDS)[key])


def _place(
    cloud: Client,
    agents: typing.Sequence[Answer],
    agent: Answer,
    item: Answer,
    load: typing.Dict[str, int],
    moves: typing.List[Answer],
    stays: typing.List[str],
) -> None:
    """Give one router or network to the agent that got fewest so far."""
    kind = agent["binary"]
    serving = [one["id"] for one in _agents_of(cloud, kind, item["id"])]
    if item.get("ha") or (kind == DHCP and _others_serve(agents, agent, serving)):
        return
    able = [one for one in agents if _able(one, agent, item) and one["id"] not in serving]
    if able:
        to = min(able, key=lambda one: (load[one["id"]], one["host"]))
        load[to["id"]] += 1
        moves.append({"kind": kind, "id": item["id"], "from": agent["id"], "to": to["id"], "host": to["host"]})
    else:
        stays.append("{} {} (no other {} can take it)".format(KINDS[kind][1][:-1], item["id"], kind))


def _agents_of(cloud: Client, kind: str, identity: str) -> typing.List[Answer]:
    path = "/v2.0/" + KINDS[kind][3].format(identity)
    return list(cloud.call("GET", "network", path, looking.SECONDS)["agents"])


def _others_serve(agents: typing.Sequence[Answer], agent: Answer, serving: typing.Container[str]) -> bool:
    return any(one["id"] in serving and one["id"] != agent["id"] and one["alive"] for one in agents)


def _able(one: Answer, agent: Answer, item: Answer) -> bool:
    """Another agent of its kind that works; for a router, one of a mode that takes it."""
    if one["binary"] != agent["binary"] or one["host"] == agent["host"] or not (one["alive"] and one["admin_state_up"]):
        return False
    mode = (one.get("configurations") or {}).get("agent_mode", "legacy")
    return agent["binary"] == DHCP or mode in MODES[bool(item.get("distributed"))]


def carry_out(cloud: Client, moves: typing.Sequence[Answer], back: bool = False) -> typing.List[str]:
    """Do them, each judged by neutron's own list; what stands already is passed over. Raises CallFailed."""
    done = []
    for one in moves:
        source, target = (one["to"], one["from"]) if back else (one["from"], one["to"])
        serving = [agent["id"] for agent in _agents_of(cloud, one["kind"], one["id"])]
        if target in serving and source not in serving:
            continue
        if one["kind"] == DHCP:  # several agents may serve a network, so nobody is without
            _add(cloud, one, target, serving)
            _remove(cloud, one, source, serving)
        else:
            _remove(cloud, one, source, serving)
            _add(cloud, one, target, serving)
        _demand(cloud, one, source, target)
        done.append(one["id"])
    return done


def _add(cloud: Client, one: Answer, agent: str, serving: typing.Container[str]) -> None:
    if agent in serving:
        return
    path, _, key, _ = KINDS[one["kind"]]
    try:
        cloud.call("POST", "network", "/v2.0/agents/{}/{}".format(agent, path), looking.SECONDS, {key: one["id"]})
    except CallFailed as error:
        if error.status != CONFLICT:  # it was there already, by the list that is asked next
            raise


def _remove(cloud: Client, one: Answer, agent: str, serving: typing.Container[str]) -> None:
    if agent in serving:
        path = "/v2.0/agents/{}/{}/{}".format(agent, KINDS[one["kind"]][0], one["id"])
        cloud.call("DELETE", "network", path, looking.SECONDS)


def _demand(cloud: Client, one: Answer, source: str, target: str) -> None:
    serving = [agent["id"] for agent in _agents_of(cloud, one["kind"], one["id"])]
    if target not in serving or source in serving:
        what = "{} of {} did not move from agent {} to {}: look at 'openstack network agent list'"
        raise CallFailed(what.format(one["kind"], one["id"], source, target))
