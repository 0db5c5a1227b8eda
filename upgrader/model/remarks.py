"""What else a survey sees: where our classes are reachable, copies of another version, and a queue shared with production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import upgrader_pillar
import upgrader_required
import yaml

from upgrader.content import RECLASS_CLASSES
from upgrader.model import needs
from upgrader.model.inventory import Inventory, Rendered
from upgrader.model.needs import ANCHOR, UPGRADE


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


def shared_queues(
    rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]
) -> Iterable[tuple[str, str, str]]:
    """(node, key, host) for every queue of the upgrade node that production's controllers use too."""
    production = {
        host for node in held[needs.CONTROL] if node in rendered for _, host in _queues(rendered[node].pillar or {})
    }
    for node in held[UPGRADE]:
        for key, host in _queues(rendered[node].pillar or {}):
            if host in production:
                yield node, key, host


def _queues(pillar: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for role in upgrader_required.REQUIRED:
        queue = upgrader_pillar.value(pillar, f"{role}:message_queue", {})
        members = queue.get("members") or [queue] if isinstance(queue, dict) else []
        for member in members if isinstance(members, list) else []:
            if isinstance(member, dict) and member.get("host"):
                yield f"{role}:message_queue", str(member["host"])


def notes(
    held: Mapping[str, tuple[str, ...]], before: Mapping[str, Rendered], after: Mapping[str, Rendered]
) -> Iterable[str]:
    for role in (needs.CONTROL, needs.COMPUTE, needs.KVM, needs.IDENTITY):
        if not held[role]:
            yield f"no node of the model holds role {role} ({needs.PROOF[role]}); what it needs was not looked for"
    for node in held[UPGRADE]:
        pillar = (after.get(node) or before[node]).pillar or {}
        suffix = upgrader_pillar.value(pillar, "_param:openstack_database_suffix")
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
        return yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError):
        return None
