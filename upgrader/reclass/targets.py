"""Into which file an include or a parameter belongs, and what files have to be made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from upgrader_node.host import pillar as host_pillar

from upgrader.reclass import needs, remarks, service_classes
from upgrader.reclass.inventory import Inventory, Rendered
from upgrader.reclass.needs import SINGLE, STORAGE, UPGRADE, Need

CLUSTER = "cluster."
STORED = "reclass:storage:node"
GENERATED = (
    "state reclass writes the node's file: make a class for these nodes alone, name it under reclass:storage:node and "
    "include class {name} there"
)
INCLUDED = "something overrides it, or the copy of the classes is of another version: copy or link it anew"
MADE = """# The upgrade node: the site's own services as its controllers have them, then what makes of them a whole Ocata controller on the
# clones, with a queue and a cache of its own.
classes:
{includes}
"""


@dataclass(frozen=True)
class Target:
    """Where one class goes for some nodes. ``path`` is None when their files are generated and no class is theirs alone."""

    path: Path | None
    nodes: tuple[str, ...]
    included: bool = False


@dataclass
class Planned:
    """Includes by file, files to make, and stand-ins that are only rendered and never written."""

    targets: dict[str, tuple[Target, ...]] = field(default_factory=dict)
    includes: dict[Path, list[str]] = field(default_factory=dict)
    created: dict[Path, str] = field(default_factory=dict)
    stand_ins: dict[Path, str] = field(default_factory=dict)
    virtual: tuple[str, ...] = ()
    told: list[tuple[Path, str, str]] = field(default_factory=list)


Held = Mapping[str, tuple[str, ...]]


def plan(
    inventory: Inventory,
    before: Mapping[str, Rendered],
    held: Held,
    prefix: str,
    wanted: Sequence[tuple[Need, tuple[str, ...]]],
) -> Planned:
    """A target for every class that is wanted, and the upgrade node's own file when the model has no such node."""
    planned = Planned()
    for need, nodes in wanted:
        name = prefix + need.name
        there = [node for node in nodes if name in before[node].classes]
        absent = [node for node in nodes if node not in there]
        found = [*_targets(inventory, before, held[need.role], absent)]
        found += [Target(inventory.nodes[node], (node,), included=True) for node in there]
        planned.targets[need.name] = tuple(found)
        for target in found:
            if target.path is not None and not target.included:
                planned.includes.setdefault(target.path, []).append(name)
    # One that is there and cannot be rendered has no pillar to be known by.
    if not held[UPGRADE] and not any(node.startswith("upg") for node in before):
        _make_upgrade_node(inventory, before, held, prefix, planned)
    return planned


def _targets(
    inventory: Inventory, before: Mapping[str, Rendered], role: Sequence[str], nodes: Sequence[str]
) -> Iterable[Target]:
    """Classes that are these nodes' own, when there are several nodes or their files are generated; else each file."""
    left, by_hand = list(nodes), []
    while left:
        node = left[0]
        written = generated(inventory, before, node)
        own, having = _own_class(inventory, before, node, set(nodes) if set(nodes) == set(role) else {node})
        group = [one for one in left if one in having] if own and (written or len(having) > 1) else [node]
        path = own if own and (written or len(having) > 1) else None if written else inventory.nodes[node]
        if path is None:
            by_hand += group
        else:
            yield Target(path, tuple(group))
        left = [one for one in left if one not in group]
    if by_hand:
        yield Target(None, tuple(by_hand))


def _own_class(
    inventory: Inventory, before: Mapping[str, Rendered], node: str, allowed: set[str]
) -> tuple[Path | None, set[str]]:
    """The cluster's class of ``node`` that the most of ``allowed`` and nobody else has; the last one of several."""
    best: tuple[Path | None, set[str]] = (None, set())
    for name in of_site(inventory, before[node].classes):
        having = {other for other, found in before.items() if name in found.classes or _names(inventory, found, name)}
        if having <= allowed and len(having) >= len(best[1]):
            best = (inventory.classes[name], having)
    return best


def of_site(inventory: Inventory, names: Sequence[str]) -> list[str]:
    """The classes that are the site's to edit: ``cluster.*`` where the model has such, else all but this tool's own."""
    if any(name.startswith(CLUSTER) for name in inventory.classes):
        return [name for name in names if name.startswith(CLUSTER) and name in inventory.classes]
    return [
        name for name in names if name in inventory.classes and not service_classes.is_ours(inventory.classes[name])
    ]


def _names(inventory: Inventory, found: Rendered, name: str) -> bool:
    """Whether a node that cannot be rendered includes a class by name, as far as its own file tells."""
    return found.pillar is None and name in inventory.included(inventory.nodes[found.node])


def generated(inventory: Inventory, before: Mapping[str, Rendered], node: str) -> bool:
    """Whether state reclass writes this node's file: an edit there would be lost."""
    if "_generated" in inventory.nodes[node].parts:
        return True
    for found in before.values():
        listed = host_pillar.value(found.pillar or {}, STORED, {})
        for one in listed.values() if isinstance(listed, dict) else ():
            if isinstance(one, dict) and f"{one.get('name')}.{one.get('domain')}" == node:
                return True
    return False


def homes(
    inventory: Inventory,
    changed: Inventory,
    before: Mapping[str, Rendered],
    after: Mapping[str, Rendered],
    nodes: Sequence[str],
    alone: bool = False,
) -> Iterable[tuple[tuple[str, ...], Path]]:
    """Where to define a parameter: the cluster's class that all these nodes have and the fewest others; else each node's own place.

    Never a class that is only about to be made for several: parameters have to be there first.
    """
    spread = {node: set(found.classes) for node, found in {**before, **after}.items()}
    common = set.intersection(*(spread[node] for node in nodes)) if not alone else set()
    fitting = [name for name in of_site(inventory, after[nodes[0]].classes) if name in common]
    if fitting:
        order = {name: (sum(name in held for held in spread.values()), -place) for place, name in enumerate(fitting)}
        best = min(fitting, key=lambda name: order[name])
        yield tuple(nodes), inventory.classes[best]
        return
    for node in nodes:
        yield (node,), _own_place(inventory, changed, before, after, node)


def _own_place(
    inventory: Inventory,
    changed: Inventory,
    before: Mapping[str, Rendered],
    after: Mapping[str, Rendered],
    node: str,
) -> Path:
    """The node's own file, the class that is made for it, or the file from which state reclass writes its file."""
    if node not in inventory.nodes:
        made = [
            changed.classes[name]
            for name in after[node].classes
            if name in set(changed.classes) - set(inventory.classes)
        ]
        return made[-1] if made else changed.nodes[node]
    if not generated(inventory, before, node):
        return inventory.nodes[node]
    said = [file for found in before.values() for file in remarks.setting(inventory, found, STORED) if found.pillar]
    return Path(said[-1]) if said else inventory.nodes[node]


def _make_upgrade_node(
    inventory: Inventory, before: Mapping[str, Rendered], held: Held, prefix: str, planned: Planned
) -> None:
    """The file of upg01; where state reclass writes node files, the class that the generated file will name."""
    master = held[needs.MASTER][0] if held[needs.MASTER] else ""
    pillar = (before[master].pillar if master else None) or {}
    site = service_classes.chosen(inventory, before, held).classes
    includes = [*_common(inventory, before, held), *site, prefix + SINGLE]
    text = MADE.format(includes="\n".join(f"- {name}" for name in includes))
    listed = host_pillar.value(pillar, "upgrader:nodes:upgrade", [])
    domain = master.partition(".")[2] or "local"
    node = str(listed[0]) if isinstance(listed, list) and listed else f"upg01.{domain}"
    stand_in = inventory.place.nodes / f"{node}.yml"
    if not held[STORAGE]:
        planned.created[stand_in] = text
        what, remedy = (
            "no node of the model is the upgrade node",
            f"make the node's file, which includes {prefix}{SINGLE}",
        )
        planned.told.append((stand_in, what, remedy))
        planned.virtual = (node,)
        return
    cluster = host_pillar.value(pillar, "_param:cluster_name") or domain.partition(".")[0]
    name = f"{CLUSTER}{cluster}.openstack.upgrade"
    path = (
        inventory.classes.get(name) or inventory.place.classes / "cluster" / str(cluster) / "openstack" / "upgrade.yml"
    )
    if name not in inventory.classes:
        planned.created[path] = text
        planned.told.append(
            (path, f"class {name} of the upgrade node is missing", f"make it; it includes {prefix}{SINGLE}")
        )
    elif prefix + SINGLE not in inventory.included(path):
        planned.includes[path] = [name for name in includes if name not in inventory.included(path)]
        planned.told.append((path, f"class {name} is no Ocata controller yet", f"include class {prefix}{SINGLE}"))
    else:
        planned.told.append(
            (stand_in, "the upgrade node's file is not written yet", f"apply state reclass on {master}")
        )
    planned.stand_ins[stand_in] = _as_state_reclass_writes_it(node, name, pillar)
    planned.virtual = (node,)


def _as_state_reclass_writes_it(node: str, name: str, pillar: Mapping[str, Any]) -> str:
    """A node's file with what MCP's state ``reclass.storage`` puts there by itself, so that nobody is told to define it."""
    address = host_pillar.value(pillar, "_param:openstack_upgrade_node01_address", "0.0.0.0")
    host, _, domain = node.partition(".")
    param = {"single_address": str(address), "linux_system_codename": "xenial", "salt_master_host": "0.0.0.0"}
    system = {"name": host, "domain": domain, "cluster": "default", "environment": "prd"}
    return yaml.safe_dump({"classes": [name], "parameters": {"_param": param, "linux": {"system": system}}})


def _common(inventory: Inventory, before: Mapping[str, Rendered], held: Held) -> list[str]:
    """The cluster's classes that controllers and database nodes have, without those that another of them includes anyway.

    All nodes' where the model has no controller, or controllers hold the databases: their own class brings Galera."""
    nodes = [*held[needs.CONTROL], *held[needs.DATABASE]]
    if not held[needs.CONTROL] or set(held[needs.CONTROL]) & set(held[needs.DATABASE]):
        nodes = list(before)
    found = [set(before[node].classes) for node in nodes if before[node].pillar is not None]
    shared = set(of_site(inventory, sorted(set.intersection(*found) if found else set())))
    covered = {name for other in shared for name in inventory.included(inventory.classes[other])}
    return sorted(shared - covered)
