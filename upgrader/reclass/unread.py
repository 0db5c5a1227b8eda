"""Which keys of production's pillar no state of this tool reads: settings of which a rehearsal with these states proves nothing.

What is read is derived from the templates themselves (tools/derive_pillar_keys.py) and kept in
``formulas/upgrader/openstack/files/pillar_keys.json``: role to paths, ``*`` for any name and ``[]`` for any item of a list. A
path is read with all that is below it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from upgrader_node.host import pillar as host_pillar
from upgrader_node.host.findings import some

from upgrader.content import FORMULAS
from upgrader.reclass import needs
from upgrader.reclass.inventory import Rendered

PILLAR_KEYS = FORMULAS / "upgrader" / "openstack" / "files" / "pillar_keys.json"
ANY, ITEM = "*", "[]"


def of_production(rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Role to the keys that production's controllers set and no state of this tool reads."""
    known = json.loads(PILLAR_KEYS.read_text())
    found: dict[str, set[str]] = {}
    for node in held[needs.CONTROL]:
        for role in known:
            found.setdefault(role, set()).update(keys(rendered[node].pillar, role, known[role]))
    return {role: tuple(sorted(lost)) for role, lost in sorted(found.items()) if lost}


def notes(lost: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    for role, names in lost.items():
        yield (
            f"production sets {len(names)} key{'s' if len(names) > 1 else ''} of {role} that this tool's own states do not read, "
            f"so a rehearsal with them proves nothing of these: {some(names)} (-o json lists all)"
        )


def keys(pillar: Any, role: str, known: Sequence[str]) -> list[str]:
    """Keys below ``role`` that are set and not among those ``known`` to be read, sorted; none where the pillar has no such role."""
    held = host_pillar.value(pillar, role)
    if not isinstance(held, dict):
        return []
    read = [path.split(":") for path in known]
    return sorted({":".join(leaf) for leaf in _leaves(held, []) if not any(_covers(path, leaf) for path in read)})


def _leaves(value: Any, way: list[str]) -> Iterator[list[str]]:
    """Ways to everything that is set; None is not, as in reclass, where it takes a value away."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from _leaves(below, [*way, str(name)])
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for one in value:
            yield from _leaves(one, [*way, ITEM])
    elif value is not None:
        yield way


def _covers(path: list[str], leaf: list[str]) -> bool:
    return len(path) <= len(leaf) and all(part in (ANY, own) for part, own in zip(path, leaf, strict=False))
