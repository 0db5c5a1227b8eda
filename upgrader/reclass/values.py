"""Values of a model that are there and cannot be meant: another form than is needed, a word that nobody knows, a key twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import required

from upgrader.cloud import cloud, roles
from upgrader.cloud.said import WrongKey, form
from upgrader.errors import Refused
from upgrader.reclass import needs, remarks
from upgrader.reclass.finding import Finding
from upgrader.reclass.inventory import UNDEFINED, Inventory, Rendered
from upgrader.reclass.origin import files, origin
from upgrader.reclass.reading import read_mapping

LISTS = ("_param:upgrader_database_nodes",)
"""Parameters of our classes that are no text; what is in them is judged with the roles."""
MAY_BE_EMPTY = ("_param:openstack_database_suffix",)
_INNERMOST = re.compile(r"\$\{([^${}]+)\}")
QUOTED = "; put it in quotes, or YAML makes something else of it"
Held = Mapping[str, tuple[str, ...]]


def wrong(
    inventory: Inventory, rendered: Mapping[str, Rendered], prefix: str, upgrade: Collection[str] = ()
) -> Iterator[Finding]:
    """What our classes need as text and the model says as something else: each file and key once, with the nodes it is about.

    ``upgrade``: the nodes that also need what a whole controller needs.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for node, one in rendered.items():
        if one.pillar is None or node not in inventory.nodes:
            continue
        keys = {key for name in one.classes if name.startswith(prefix) for key in _text_keys(name, prefix)}
        for key in sorted(keys | (_controllers() if node in upgrade else set())):
            what = _complaint(key, host_pillar.value(one.pillar, key, UNDEFINED))
            place = origin(inventory, one, key) if what else None
            if place:
                found.setdefault((*place, what), []).append(node)
    for (file, key, what), nodes in found.items():
        remedy = f"write {needs.example(key.rpartition(':')[2], {})}"
        yield Finding("value", tuple(nodes), f"{key} is {what}", remedy, file, key)


def _complaint(key: str, value: Any) -> str:
    if key in LISTS or (isinstance(value, str) and (UNDEFINED in value or (value or key in MAY_BE_EMPTY))):
        return ""
    said = form(value)
    if said == "a number":
        return ""
    if said == "empty":
        return said
    return f"{said}, and must be text{'' if isinstance(value, (dict, list)) else QUOTED}"


@cache
def _controllers() -> frozenset[str]:
    """What a whole controller needs as text: keys whose example in the table is none of a list or a mapping."""
    return frozenset(
        f"{role}:{one}"
        for role in required.UPGRADE_NODE
        for key, example in required.REQUIRED[role]
        for one in key.split(required.OR)
        if not one.endswith("members") and not re.search(r"[\[{]", example)
    )


@cache
def _text_keys(name: str, prefix: str) -> frozenset[str]:
    """The pillar keys that a class of ours takes as text: parameters that it refers to, and values made of several references."""
    path = remarks.shipped().get(name[len(prefix) :])
    keys: set[str] = set()
    for key, text in _texts(read_mapping(str(path)).get("parameters") if path else {}, ""):
        inner = _INNERMOST.findall(text)
        keys.update(inner)
        if inner and text.count("${") > len(inner):
            keys.add(key)
    return frozenset(keys)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _texts(below, f"{key}:{str(name).lstrip('~=^')}".lstrip(":"))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _texts(below, f"{key}:{number}")
    elif isinstance(value, str) and "${" in value:
        yield key, value


def words(inventory: Inventory, rendered: Mapping[str, Rendered], held: Held) -> Iterator[Finding]:
    """What the Salt master's pillar says of the cloud in words that a plan refuses: roles, releases, deployment, its name."""
    for master in held[needs.MASTER]:
        one = rendered[master]
        pillar = one.pillar or {}
        said = host_pillar.value(pillar, roles.NODES)
        judges: dict[str, Callable[[], Any]] = {
            roles.NODES: partial(roles.nodes_by_role, said, master),
            "upgrader:release": partial(cloud.release_of, pillar, master),
            "upgrader:cloud": partial(cloud.name_of, pillar, master),
            "upgrader:deployment": partial(cloud.deployment_of, pillar, master),
        }
        for key, judge in judges.items():
            if host_pillar.value(pillar, key) is not None:
                yield from _refused(inventory, one, judge)
        yield from _strangers(inventory, one, said)


def _refused(inventory: Inventory, one: Rendered, judge: Callable[[], Any]) -> Iterator[Finding]:
    try:
        judge()
    except WrongKey as error:
        file, key = _written(inventory, one, error.key) or (str(inventory.nodes[one.node]), error.key)
        yield Finding("value", (one.node,), _from(str(error), error.key, key), f"correct {key}", file, key)


def _written(inventory: Inventory, one: Rendered, key: str) -> tuple[str, str] | None:
    """Where a key was written; of a list, where its first item that is no name was."""
    value = host_pillar.value(one.pillar, key)
    for number, item in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(item, str) or not item:
            return origin(inventory, one, f"{key}:{number}") or origin(inventory, one, key)
    return origin(inventory, one, key)


def _from(what: str, key: str, written: str) -> str:
    return what if key == written else f"{what} ({key} comes from {written})"


def _strangers(inventory: Inventory, one: Rendered, said: Any) -> Iterator[Finding]:
    """Nodes that a role names and the model does not have."""
    for role, ids in said.items() if isinstance(said, dict) else ():
        for number, node in enumerate(ids if isinstance(ids, list) else ()):
            if isinstance(node, str) and node and node not in inventory.nodes and UNDEFINED not in node:
                key = f"{roles.NODES}:{role}"
                file, written = origin(inventory, one, f"{key}:{number}") or origin(inventory, one, key) or ("", key)
                what = _from(f"{key} names {node}, which is no node of the model", key, written)
                yield Finding("value", (one.node,), what, f"correct {written}, or make the node's file", file, written)


def last(rendered: Mapping[str, Rendered], held: Held) -> Iterator[Finding]:
    """What a plan would still refuse of a model in which nothing else is found."""
    pillars = {node: one.pillar for node, one in rendered.items() if one.pillar is not None}
    for master in held[needs.MASTER]:
        try:
            cloud.cloud_from_pillar(pillars, master)
        except Refused as error:
            key = error.key if isinstance(error, WrongKey) else ""
            node = error.node if isinstance(error, WrongKey) else master
            yield Finding("value", (node,), str(error), f"correct {key}" if key else "correct it", "", key)


def twice(inventory: Inventory, nodes: Iterable[Rendered]) -> tuple[list[Finding], list[str]]:
    """Keys that stand twice in a file of these nodes: findings where the two say different things, notes where they do not."""
    users: dict[Path, list[str]] = {}
    for one in nodes:
        for path in files(inventory, one):
            users.setdefault(path, []).append(one.node)
    found, notes = list[Finding](), list[str]()
    for path, names in users.items():
        for key in inventory.doubled(path):
            lines = f"{key.key} stands twice, in lines {key.first} and {key.last}"
            if key.same:
                notes.append(f"{path}: {lines}, with the same value: take one of them away")
            else:
                what = f"{lines}, and only the last one counts"
                remedy = f"take what begins in line {key.first} away, which changes nothing, or make one of the two"
                found.append(Finding("value", tuple(names), what, remedy, str(path), key.key))
    return found, notes


def located(inventory: Inventory, rendered: Mapping[str, Rendered], found: Iterable[Finding]) -> Iterator[Finding]:
    """Each finding about a pillar key with the file that says it, where one does."""
    for one in found:
        node = rendered.get(one.nodes[0]) if one.nodes and one.name and not one.file else None
        place = origin(inventory, node, one.name) if node and node.node in inventory.nodes else None
        if place is None:
            yield one
        else:
            file, key = place
            yield Finding(one.kind, one.nodes, _from(one.what, one.name, key), one.remedy, file, key, one.stage)
