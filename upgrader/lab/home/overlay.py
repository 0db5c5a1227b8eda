"""What is laid over a node's pillar so that it is one of the lab's, and what that replaces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from upgrader_node.service import networks

HOW_IT_WAS_MADE = ("_reclass_", "__reclass__")
REGIONS = ("region", "region_name", "openstack_region")
# What only the operator's own rows can be read with: kept where their dump is loaded.
OF_ROWS: Mapping[str, tuple[str, ...]] = {
    "heat": ("_param:heat_auth_encryption_key", "heat:server:auth_encryption_key"),
    "keystone": ("_param:heat_domain_admin_password", "heat:server:stack_domain_admin"),
}
# Whole as the lab has them: what the operator's say beside would be of nodes that are not there.
ALONE = ("upgrader:nodes", "upgrader:databases", "upgrader:backup", "galera")
Pillar = Mapping[str, Any]


def overlay(lab: Pillar, own: Pillar, dumped: Iterable[str]) -> dict[str, Any]:
    """The lab's pillar of a node without what belongs to rows that were dumped.

    :param own: the pillar of the operator's node, whose values are kept for such rows
    :param dumped: databases that are loaded from the operator's dumps
    """
    dumped = set(dumped)
    over = _copied({key: value for key, value in lab.items() if key not in HOW_IT_WAS_MADE})
    for database, keys in OF_ROWS.items():
        for key in keys if database in dumped else ():
            if value(own, key) not in (None, ""):
                _drop(over, key.split(":"))
    region = _region(own) if "keystone" in dumped else ""
    return _with_region(over, region) if region else over


def with_ml2(own: Pillar) -> dict[str, Any]:
    """Networks as the lab has them, where a node of the operator's says Contrail: the lab's neutron has rows of its own."""
    over: dict[str, Any] = {}
    for key in networks.KEYS if networks.contrail(own) else ():
        if value(own, key) is not None:
            held: Any = "default" if key.startswith("nova") else "ml2"
            for part in reversed(key.split(":")):
                held = {part: held}
            over = merged(over, held)
    return over


def written(over: Pillar, at: str = "") -> dict[str, Any]:
    """As parameters of a node's file: dictionaries are merged, everything else stands alone (reclass's ``~``)."""
    found: dict[str, Any] = {}
    for key, held in over.items():
        where = f"{at}:{key}" if at else str(key)
        merges = isinstance(held, Mapping) and held and where not in ALONE
        found[key if merges else f"~{key}"] = written(held, where) if merges else held
    return found


def translated(pillar: Any, words: Mapping[str, str]) -> Any:
    """The same with every name and address of the operator's nodes as the lab has it; whole words only."""
    if isinstance(pillar, Mapping):
        return {key: translated(held, words) for key, held in pillar.items()}
    if isinstance(pillar, list):
        return [translated(held, words) for held in pillar]
    return words.get(pillar, pillar) if isinstance(pillar, str) else pillar


def changed(before: Pillar, after: Pillar) -> dict[str, Any]:
    """What of ``after`` is another value than in ``before``, as an overlay."""
    found: dict[str, Any] = {}
    for key, held in after.items():
        if key in HOW_IT_WAS_MADE or (key in before and before[key] == held):
            continue
        there = before.get(key)
        found[key] = changed(there, held) if isinstance(held, Mapping) and isinstance(there, Mapping) else held
    return found


def merged(under: Pillar, over: Pillar) -> dict[str, Any]:
    """``over`` on ``under``, dictionaries merged."""
    both = dict(under)
    for key, held in over.items():
        there = both.get(key)
        both[key] = merged(there, held) if isinstance(there, Mapping) and isinstance(held, Mapping) else held
    return both


def replaced(own: Pillar, now: Pillar) -> Iterator[str]:
    """The keys of the operator's node that say something else in the lab; never a value."""
    there = dict(leaves(now))
    for key, held in leaves(own):
        if there.get(key, held) != held or (key not in there and value(now, key) is not None):
            yield key


def leaves(pillar: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Each key whose value is no dictionary, with its value."""
    for key, held in pillar.items():
        if key in HOW_IT_WAS_MADE:
            continue
        where = f"{at}:{key}" if at else str(key)
        if isinstance(held, Mapping):
            yield from leaves(held, where)
        else:
            yield where, held


def value(pillar: Any, key: str) -> Any:
    for part in key.split(":"):
        pillar = pillar.get(part) if isinstance(pillar, Mapping) else None
    return pillar


def _copied(pillar: Any) -> Any:
    return {key: _copied(held) for key, held in pillar.items()} if isinstance(pillar, Mapping) else pillar


def _drop(over: dict[str, Any], path: list[str]) -> None:
    for part in path[:-1]:
        over = over.get(part) or {}
    over.pop(path[-1], None)


def _region(own: Pillar) -> str:
    return str(value(own, "_param:openstack_region") or value(own, "keystone:server:region") or "")


def _with_region(over: Any, region: str) -> Any:
    if not isinstance(over, Mapping):
        return over
    return {
        key: region if key in REGIONS and isinstance(held, str) else _with_region(held, region)
        for key, held in over.items()
    }
