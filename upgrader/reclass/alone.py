"""Whether the upgrade node's pillar still leads to production, and in what else it differs from a controller's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from upgrader_node.copy import isolation
from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some
from upgrader_node.service.roles import ROLE_OF

from upgrader.reclass import needs
from upgrader.reclass.inventory import UNDEFINED, Rendered
from upgrader.reclass.service_classes import shipped_parameters

Held = Mapping[str, tuple[str, ...]]
# What takes part in production by being there at all, and what it would do.
TAKES_PART = {
    "keepalived:cluster": "would claim production's virtual address",
    "galera:master": "would join production's databases",
    "galera:slave": "would join production's databases",
    "glusterfs:client": "would mount production's images and keys",
    "rabbitmq:server:cluster": "would join production's queue",
    "pacemaker": "would join production's cluster",
}
# The clones are on production's database cluster, by intent.
ALLOWED = ("database:host",)
# MCP's own classes set them, and no template of its formulas for Ocata reads them (salt-formula-glance and -nova, files/ocata).
READ_BY_NOBODY = (
    "glance:server:rabbit:host",
    "nova:controller:bind:public_address",
    "nova:controller:bind:public_name",
)


def taking_part(pillar: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(pillar key, what it would do) for everything that makes a node a member of production."""
    for key, what in TAKES_PART.items():
        if host_pillar.value(pillar, key):
            yield key, what


def leading_away(
    pillar: Mapping[str, Any], production: Mapping[str, str], left: Collection[str] = ()
) -> Iterator[tuple[str, str, str]]:
    """(pillar key, the place that it names, whose that is) for each value of a service that names production."""
    for role in (role for role in ROLE_OF.values() if role not in left):
        for key, value in _leaves(host_pillar.value(pillar, role), role):
            if key.endswith(ALLOWED) or key in READ_BY_NOBODY or not isinstance(value, str):
                continue
            options = {"": {"host": value}}
            for place in isolation.places(options):
                if place.host in production:
                    yield key, place.host, production[place.host]
                    break


def of_production(rendered: Mapping[str, Rendered], held: Held) -> dict[str, str]:
    """Each name and address by which production's controllers and what they stand on are reached, and whose it is."""
    found: dict[str, str] = {}
    own = set(held[needs.UPGRADE])
    for node, one in rendered.items():
        pillar = one.pillar or {}
        if node in own or node.startswith("upg"):
            continue
        for instance in _mapping(pillar, "keepalived:cluster:instance").values():
            if isinstance(instance, dict) and instance.get("address"):
                found[str(instance["address"])] = "a virtual address"
        if node in held[needs.CONTROL]:
            found |= dict.fromkeys({node, node.split(".", 1)[0]}, f"controller {node}")
            address = host_pillar.value(pillar, "_param:single_address")
            found |= {str(address): f"controller {node}"} if address else {}
            found |= dict(_stood_on(pillar))
    for node in held[needs.UPGRADE]:
        mine = {
            node,
            node.split(".", 1)[0],
            str(host_pillar.value(rendered[node].pillar or {}, "_param:single_address")),
        }
        found = {place: whose for place, whose in found.items() if place not in mine} if node in rendered else found
    # A reference that leads nowhere is nobody's address; it is told as such.
    return {place: whose for place, whose in found.items() if place not in isolation.HERE and UNDEFINED not in place}


def _stood_on(pillar: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Queue, identity and cache of a controller's services."""
    for role in ROLE_OF.values():
        for part, what in (("message_queue", "the queue"), ("identity", "identity"), ("cache", "the cache")):
            held = _mapping(pillar, f"{role}:{part}")
            members = held.get("members")
            for one in [held, *(members if isinstance(members, list) else [])]:
                if isinstance(one, dict) and one.get("host"):
                    yield str(one["host"]), f"{what} of production"


def differences(controller: Mapping[str, Any], upgrade: Mapping[str, Any], left: Collection[str] = ()) -> Iterator[str]:
    """Keys of the services that a controller sets, that the upgrade node has otherwise or not at all, and that no class of ours sets."""
    ours = shipped_parameters()
    for role in (role for role in ROLE_OF.values() if role not in left):
        there = dict(_leaves(host_pillar.value(upgrade, role), role))
        for key, value in _leaves(host_pillar.value(controller, role), role):
            if there.get(key) != value and not _set_by(ours, key):
                yield key


def notes(
    rendered: Mapping[str, Rendered], held: Held, upgrade: Iterable[str], left: Collection[str] = ()
) -> Iterator[str]:
    """What a rehearsal on the upgrade node does not prove, because its pillar is another one than a controller's."""
    controller = next((rendered[node].pillar for node in held[needs.CONTROL] if rendered[node].pillar), None)
    for node in upgrade:
        pillar = rendered[node].pillar if node in rendered else None
        if controller and pillar:
            lost = sorted(differences(controller, pillar, left))
            if lost:
                keys = f"{len(lost)} key{'s' if len(lost) > 1 else ''}"
                yield f"{node} differs from the controllers in {keys} that this tool does not set: {some(lost, 8)}"


def _set_by(ours: Mapping[str, Any], key: str) -> bool:
    """Whether a class of ours sets this key, or something above or below it."""
    value: Any = ours
    for part in key.split(":"):
        if not isinstance(value, dict):
            return True
        value = value.get(part, value.get(f"~{part}"))
        if value is None:
            return False
    return True


def _mapping(pillar: Mapping[str, Any], key: str) -> dict[str, Any]:
    held = host_pillar.value(pillar, key, {})
    return held if isinstance(held, dict) else {}


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, f"{key}:{name}")
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for number, one in enumerate(value):
            yield from _leaves(one, f"{key}:{number}")
    elif value is not None:
        yield key, value
