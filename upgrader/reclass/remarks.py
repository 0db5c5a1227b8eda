"""What else a survey sees: where our classes are reachable, copies of another version, and a queue shared with production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some
from upgrader_node.service import required

from upgrader.cloud.release import sources
from upgrader.cloud.renamed import old_name
from upgrader.content import RECLASS_CLASSES
from upgrader.reclass import needs
from upgrader.reclass.extent import Extent
from upgrader.reclass.inventory import UNDEFINED, Inventory, Rendered
from upgrader.reclass.needs import ANCHOR, UPGRADE
from upgrader.reclass.reading import BadFile, read_mapping


def reach(inventory: Inventory) -> str | None:
    """What stands before the names of our classes in this inventory ("" or "ocata."), None when they are not there."""
    found = sorted((name for name in inventory.classes if f".{name}".endswith(f".{ANCHOR}")), key=len)
    return found[0][: -len(ANCHOR)] if found else None


def shipped() -> dict[str, Path]:
    """Our classes: name to file."""
    found = {}
    for path in sorted(RECLASS_CLASSES.rglob("*.yml")):
        parts = path.relative_to(RECLASS_CLASSES).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "init" else parts)] = path
    return found


def left_out(cloud: Extent, rendered: Mapping[str, Rendered]) -> Iterable[str]:
    """Nodes that were not looked at, and why; a broken one of them breaks no upgrade."""
    if cloud.others:
        yield f"of other clouds and left out: {some(cloud.others)}"
    for node in sorted(cloud.nodes):
        if not rendered[node].sound and cloud.unrelated(node):
            lost = (f"{one.reference} is defined nowhere" for one in rendered[node].unresolved)
            said = next(iter((*(what for _, what in rendered[node].problems), *lost)), "reclass gives no reason")
            yield f"{node} cannot be rendered ({said}); an upgrade does not need it"


def collapsed(held: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    both = sorted(set(held[needs.CONTROL]) & set(held[needs.DATABASE]))
    if both:
        yield (
            f"controllers and database nodes at once: {some(both)}. Their own class brings Galera, the virtual IP and "
            "production's queue, so the upgrade node gets none of it and only what all nodes of the cloud share"
        )


def listed_databases(rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The names under ``mysql:server:database`` of the database nodes."""
    listed: set[str] = set()
    for node in held[needs.DATABASE]:
        said = host_pillar.value(rendered[node].pillar or {}, "mysql:server:database", {})
        listed |= {str(name) for name in said} if isinstance(said, dict) else set()
    return listed


def databases(listed: set[str]) -> Iterable[str]:
    """Which of these an upgrade does not work on, and what that means."""
    known = {*needs.CLONES, *map(needs.clone_name, needs.CLONES), *needs.BESIDE}
    others = sorted(listed - known)
    if others:
        yield (
            f"databases of other services: {some(others)}. They are part of every backup and are otherwise left alone: "
            "their services are not upgraded, look whether they work beside Ocata"
        )


def other_releases(
    rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """(pillar key, release) to the controllers whose services are said to be of another release than the upgrade begins at."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    begin = sources()
    for node in held[needs.CONTROL]:
        for role in required.REQUIRED:
            said = host_pillar.value(rendered[node].pillar or {}, f"{role}:version")
            if said not in (None, "", *begin):
                key = (f"{role}:version", str(said))
                found[key] = (*found.get(key, ()), node)
    return found


def shared_queues(
    rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]
) -> Iterable[tuple[str, str, str]]:
    """(node, key, host) for every queue of the upgrade node that production's controllers use too."""
    production = {
        host for node in held[needs.CONTROL] if node in rendered for _, host in _queues(rendered[node].pillar or {})
    }
    for node in held[UPGRADE]:
        for key, host in _queues(rendered[node].pillar or {}):
            if host in production and UNDEFINED not in host:
                yield node, key, host


def _queues(pillar: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for role in required.REQUIRED:
        queue = host_pillar.value(pillar, f"{role}:message_queue", {})
        members = queue.get("members") or [queue] if isinstance(queue, dict) else []
        for member in members if isinstance(members, list) else []:
            if isinstance(member, dict) and member.get("host"):
                yield f"{role}:message_queue", str(member["host"])


def renamed(
    inventory: Inventory, rendered: Mapping[str, Rendered], lacking: Iterable[tuple[str, Iterable[str]]]
) -> Iterable[tuple[str, str, str, str]]:
    """(node, new key, old key, file that sets the old one) where a key that a node lacks stands under its old name."""
    seen = set()
    for node, keys in lacking:
        for new, old in {old_name(rendered[node].pillar or {}, key): None for key in keys}:
            for file in setting(inventory, rendered[node], old) if old else ():
                seen.add((node, new, old, file))
    return sorted(seen)


def setting(inventory: Inventory, rendered: Rendered, key: str) -> Iterable[str]:
    """The files of one node's model that themselves set a pillar key; values that a reference brings are not seen."""
    paths = [inventory.classes[name] for name in rendered.classes if name in inventory.classes]
    for path in (*paths, inventory.nodes[rendered.node]):
        if host_pillar.value(inventory.mapping(path).get("parameters"), key) is not None:
            yield str(path)


def notes(
    held: Mapping[str, tuple[str, ...]], before: Mapping[str, Rendered], after: Mapping[str, Rendered]
) -> Iterable[str]:
    for role in (needs.CONTROL, needs.COMPUTE, needs.KVM, needs.IDENTITY):
        if not held[role]:
            yield f"no node of the model holds role {role} ({needs.PROOF[role]}); what it needs was not looked for"
    for node in held[UPGRADE]:
        pillar = (after.get(node) or before[node]).pillar or {}
        suffix = host_pillar.value(pillar, "_param:openstack_database_suffix")
        if suffix == "":
            yield f"{node}: the switch _param:openstack_database_suffix selects production's databases"


def copied(inventory: Inventory, prefix: str) -> Iterable[str]:
    """Classes that were copied from another version, or changed in place."""
    for name, path in shipped().items():
        there = inventory.classes.get(prefix + name)
        if there is None:
            yield f"class {prefix}{name} is missing beside the others: the copy is of another version; copy or link it anew"
        elif not there.samefile(path) and _values(there) != _values(path):
            yield f"class {prefix}{name} in {there} differs from this version's; copy or link it anew"


def _values(path: Path) -> Any:
    try:
        return read_mapping(str(path))
    except BadFile:
        return None
