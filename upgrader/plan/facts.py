"""What a plan is bound to: the formulas that this version ships and the pillar of the cloud, as digests. No value of a pillar leaves here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from upgrader.plan.step import Facts

FILE_DIGITS, KEY_DIGITS = 12, 4
VOLATILE = ("__reclass__", "_errors")
"""Top-level keys that say how a pillar was made and not what it holds."""
SHOWN = 5

Pillars = Mapping[str, Mapping[str, Any]]


def facts_of(modules: str, files: Mapping[str, str], pillars: Pillars) -> Facts:
    """The facts of a plan. ``modules`` is the digest of the Salt modules, ``files`` maps each file's name to its sha256."""
    held = {node: _kept(pillar) for node, pillar in pillars.items()}
    return Facts(
        modules=modules,
        formulas=_sha256(files),
        pillar=_sha256(held),
        files={name: digest[:FILE_DIGITS] for name, digest in sorted(files.items())},
        keys={
            node: {key: _sha256(value)[:KEY_DIGITS] for key, value in sorted(pillar.items())}
            for node, pillar in sorted(held.items())
        },
    )


def changes(planned: Facts, now: Facts) -> list[str]:
    """One sentence for each kind of fact that is no longer what it was; names of files, nodes and keys, never a value."""
    told = []
    if planned.formulas != now.formulas:
        told.append(f"formulas: {_listed(_differing(planned.files, now.files)) or 'they'} changed")
    if planned.modules != now.modules and planned.formulas == now.formulas:
        told.append(f"the Salt modules changed ({planned.modules[:12]} is now {now.modules[:12]})")
    if planned.pillar != now.pillar:
        told.append(_changed_pillar(planned.keys, now.keys))
    return told


def _changed_pillar(planned: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> str:
    nodes = [
        f"{node} ({_listed(keys)})" if node in planned and node in now else node
        for node in sorted({*planned, *now})
        if (keys := _differing(planned.get(node, {}), now.get(node, {})))
    ]
    return f"pillar of {_listed(nodes) or 'the nodes'} changed"


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _kept(pillar: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in pillar.items() if key not in VOLATILE}


def _sha256(value: Any) -> str:
    """Over canonical JSON. Dates and the like, which YAML gives, are taken by their text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
