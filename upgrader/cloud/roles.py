"""What a node can be to a cloud: a table. Pillar ``upgrader:nodes`` of the Salt master says which nodes hold which role.

A role that is not in the table is an error and not an oversight that nobody hears of: a misspelt ``databse`` would leave a
database node out of a backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from upgrader.cloud.said import WrongKey

CFG, BACKUP, DATABASE, KVM, UPGRADE = "cfg", "backup", "dbs", "kvm", "upg"
CONTROL, PROXY, MESSAGE_QUEUE, COMPUTE, GATEWAY = "ctl", "prx", "msg", "cmp", "gtw"


@dataclass(frozen=True)
class Role:
    """One role: its short name, the pillar key under ``upgrader:nodes``, and how many nodes may hold it (None: any number).

    The short name is accepted as key too. ``described`` roles have their pillar read whenever the cloud is: a stage of this
    version works from it. Of the others the ids are enough, and there may be hundreds of them.
    """

    name: str
    key: str
    required: bool = False
    most: int | None = None
    described: bool = False


ROLES = (
    Role(CFG, "master", most=1),
    Role(BACKUP, "backup", required=True, described=True),
    Role(DATABASE, "database", required=True, described=True),
    Role(KVM, "kvm", described=True),
    Role(UPGRADE, "upgrade", required=True, described=True),
    Role(CONTROL, "control", described=True),
    Role(PROXY, "proxy"),
    Role(MESSAGE_QUEUE, "message_queue"),
    Role(COMPUTE, "compute"),
    Role(GATEWAY, "gateway"),
)

NODES = "upgrader:nodes"
_BY_KEY: Mapping[str, Role] = {name: role for role in ROLES for name in (role.key, role.name)}


def nodes_by_role(given: Any, master: str) -> Mapping[str, tuple[str, ...]]:
    """Role to the ids of its minions, in the model's order. ``given`` is pillar ``upgrader:nodes`` of minion ``master``.

    Raises Refused for an unknown role, with the nearest known one, for a role that is lacking or given twice, and for ids
    that are no list.
    """
    if not isinstance(given, Mapping):
        raise WrongKey(master, NODES, f"pillar key {NODES} of {master} must map roles to lists of minion ids")
    nodes: dict[str, tuple[str, ...]] = {}
    for key, ids in given.items():
        role = _role(str(key), master)
        if role.name in nodes:
            twice = f"pillar {NODES} of {master} names role {role.key} twice, also as {key}: keep one of them"
            raise WrongKey(master, f"{NODES}:{key}", twice)
        nodes[role.name] = _ids(role, str(key), ids, master)
    lacking = [role for role in ROLES if role.required and role.name not in nodes]
    if lacking:
        _ids(lacking[0], lacking[0].key, None, master)
    return MappingProxyType({role.name: nodes[role.name] for role in ROLES if role.name in nodes})


def described_nodes(nodes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The minions whose pillar is part of the picture, each once."""
    return tuple(sorted({node for role in ROLES if role.described for node in nodes.get(role.name, ())}))


def _role(key: str, master: str) -> Role:
    if key in _BY_KEY:
        return _BY_KEY[key]
    near = get_close_matches(key, _BY_KEY, 1)
    known = ", ".join(role.key for role in ROLES)
    meant = f"is {near[0]} meant? " if near else ""
    what = f"pillar {NODES} of {master} names an unknown role {key!r}: {meant}Known are {known}"
    raise WrongKey(master, f"{NODES}:{key}", what)


def _ids(role: Role, key: str, ids: Any, master: str) -> tuple[str, ...]:
    if not isinstance(ids, list) or not ids or not all(isinstance(node, str) and node for node in ids):
        what = f"must be a list of minion ids, e.g. [{role.name}01.cloud.local]"
    elif len(set(ids)) < len(ids):
        what = "lists a node twice: name each once"
    elif role.most is not None and len(ids) > role.most:
        what = f"lists {len(ids)} nodes: there can be no more than {role.most}"
    else:
        return tuple(ids)
    raise WrongKey(master, f"{NODES}:{key}", f"pillar key {NODES}:{key} of {master} {what}")
