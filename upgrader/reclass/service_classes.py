"""The site's classes that make its controllers' services what they are: the upgrade node gets them too, a service at a time.

A class is taken when it and all that it includes set nothing but one service's pillar and parameters: what brings Galera, a
virtual address, a queue or mounts beside the service would bring production's to the copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from upgrader_node.service.roles import ROLE_OF

from upgrader.content import RECLASS_CLASSES
from upgrader.reclass import endless, needs
from upgrader.reclass.inventory import Inventory, Rendered

PARAM = "_param"
UPGRADE_CLASSES = (
    "keystone.server.upgrade",
    "glance.control.upgrade",
    "nova.control.upgrade",
    "cinder.control.upgrade",
    "neutron.control.upgrade",
    "heat.server.upgrade",
)


@dataclass(frozen=True)
class Chosen:
    """Classes for the upgrade node in the controllers' order, and those that set a service beside other things."""

    classes: tuple[str, ...] = ()
    mixed: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def chosen(inventory: Inventory, before: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> Chosen:
    """What the controllers' classes give the upgrade node. The class that holds a node's own role is never among them."""
    order = _in_order(inventory, before, held)
    roots = {name: _roots(inventory, name) for name in order}
    below = {name: _below(inventory, name) for name in order}
    taken: list[str] = []
    mixed = []
    for role in ROLE_OF.values():
        service = role.partition(":")[0]
        setting = [name for name in order if _sets(inventory, name, role)]
        for name in setting:
            brought = set().union(*(roots.get(one) or _roots(inventory, one) for one in below[name])) - {PARAM, service}
            if brought:
                own = sorted(roots[name] - {PARAM, service})
                mixed.append((name, role, tuple(own or sorted(brought))))
            else:
                taken.append(name)
    covered = {one for name in taken for one in below[name] - {name}}
    return Chosen(tuple(name for name in order if name in taken and name not in covered), tuple(mixed))


def notes(found: Chosen) -> Iterable[str]:
    """A sentence for each class whose settings a rehearsal does not prove, because more comes with it."""
    for name in dict.fromkeys(name for name, _, _ in found.mixed):
        roles = [role for one, role, _ in found.mixed if one == name]
        services = {role.partition(":")[0] for role in roles}
        brought = {root for one, _, roots in found.mixed if one == name for root in roots} - services
        others = sorted(brought or services)
        yield (
            f"class {name} sets {', '.join(roles)} together with {', '.join(others[:4])}: the upgrade node does not include it, so "
            "what it sets there is not rehearsed; move each service's keys into a class of their own"
        )


def _in_order(inventory: Inventory, before: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> list[str]:
    names = [name for node in held[needs.CONTROL] for name in before[node].classes]
    return [name for name in dict.fromkeys(names) if name in inventory.classes and not is_ours(inventory.classes[name])]


def is_ours(path: Path) -> bool:
    """Whether a class's file is one of this tool's own, by whatever link it is reached."""
    return path.resolve().is_relative_to(RECLASS_CLASSES.resolve())


def _below(inventory: Inventory, name: str) -> set[str]:
    """A class and all that it includes, at any depth."""
    seen: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one not in seen and one in inventory.classes:
            seen.add(one)
            left += endless.includes(inventory, one)
    return seen


def _parameters(inventory: Inventory, name: str) -> Mapping[str, object]:
    held = inventory.mapping(inventory.classes[name]).get("parameters")
    return held if isinstance(held, dict) else {}


def _roots(inventory: Inventory, name: str) -> set[str]:
    """The first words of the pillar keys that a class itself sets; reclass's own marks are no part of them."""
    return {str(key).lstrip("~=^") for key in _parameters(inventory, name)}


def _sets(inventory: Inventory, name: str, role: str) -> bool:
    service, _, part = role.partition(":")
    held = _parameters(inventory, name).get(service)
    return isinstance(held, dict) and part in held


@lru_cache(maxsize=1)
def shipped_parameters() -> Mapping[str, Any]:
    """What the upgrade node's classes of this tool set, merged, with references as they are written."""
    merged: dict[str, Any] = {}
    for name in UPGRADE_CLASSES:
        held = yaml.safe_load((RECLASS_CLASSES / f"{name.replace('.', '/')}.yml").read_text(encoding="utf-8"))
        _merge(merged, held.get("parameters") or {})
    return merged


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else value
