"""Which keys of production's pillar no state of this tool reads: settings that a deployment with these states would lose.

The states refuse such keys on the node (``upgrader_node.model.unread``, which this shares). What is read is derived from the
templates (tools/derive_pillar_keys.py) and kept in ``formulas/upgrader/openstack/files/pillar_keys.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.model import unread

from upgrader.content import FORMULAS
from upgrader.reclass import needs
from upgrader.reclass.inventory import Rendered

PILLAR_KEYS = FORMULAS / "upgrader" / "openstack" / "files" / "pillar_keys.json"


def of_nodes(rendered: Mapping[str, Rendered], nodes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Role to the keys that these nodes set and no state of this tool reads."""
    known = json.loads(PILLAR_KEYS.read_text())
    found: dict[str, set[str]] = {}
    for node in nodes:
        for role in known:
            found.setdefault(role, set()).update(_unread(rendered[node].pillar, role, known[role]))
    return {role: tuple(sorted(lost)) for role, lost in sorted(found.items()) if lost}


def of_production(rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """``of_nodes`` of production's controllers."""
    return of_nodes(rendered, held[needs.CONTROL])


def _unread(pillar: Any, role: str, known: Sequence[str]) -> list[str]:
    """Without those that the model names as ignored; a list of those that is wrong counts for nothing here, the node refuses it."""
    try:
        return unread.refused(pillar, role, known)
    except StepError:
        return unread.keys(pillar, role, known)


def notes(
    lost: Mapping[str, tuple[str, ...]], whose: str = "production", all_of_them: str = "-o json"
) -> Iterable[str]:
    """A sentence for each role.

    :param whose: who sets the keys
    :param all_of_them: what lists them whole
    """
    for role, names in lost.items():
        yield (
            f"{whose} sets {len(names)} key{'s' if len(names) > 1 else ''} of {role} that this tool's own states do not read "
            f"and, where they deploy, refuse: {some(names)} ({all_of_them} lists all)"
        )


def notes_of_upgrade_node(rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    """What the states will refuse there, said before a rehearsal begins."""
    lost = of_nodes(rendered, held[needs.UPGRADE])
    return notes(lost, "the upgrade node", "upgrader_model.unread on the node")
