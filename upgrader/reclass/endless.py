"""What makes reclass give up for want of room on its stack: classes that include each other in a circle, or too long a chain."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from upgrader.errors import Refused

LONGEST = 100
"""References that lead on to another one; reclass 2.0.0 follows some 490 (measured)."""
_WHOLE = re.compile(r"\$\{([^${}]+)\}")
Chain = tuple[str, str, int]


class Files(Protocol):
    """What is asked of an inventory here: its files by name, and what each of them includes and holds."""

    nodes: dict[str, Path]
    classes: dict[str, Path]

    def included(self, path: Path) -> list[str]:
        """The classes that a file itself includes, as written."""

    def mapping(self, path: Path) -> Mapping[str, Any]:
        """What a file holds."""


def told(inventory: Files, node: str) -> list[tuple[str, str]]:
    """(file, sentence) for a node of which reclass said RecursionError."""
    file = inventory.nodes[node]
    circle = _circle(inventory, inventory.included(file))
    if circle:
        what = f"class {circle[0]} includes itself ({' includes '.join(circle)}), and reclass follows that without end"
        return [(str(inventory.classes[circle[-2]]), f"{what}; take one of these includes out")]
    chain = _longest(inventory, [file, *(inventory.classes[name] for name in closure(inventory, file))])
    if chain and chain[2] > LONGEST:
        what = f"the reference at {chain[1]} leads on through {chain[2]} others, more than reclass can follow"
        return [(chain[0], f"{what}; write the value there")]
    return [(str(file), "its classes are nested deeper than reclass can follow; include fewer of them in each other")]


def refuse_circles(nodes: Path, classes: Path) -> None:
    """Refused for links to a folder above them, where reclass, which follows each again and again, would not come to an end.

    It lives through one such link below classes: the kernel ends it after 40, and each time gives the classes other names.
    Nodes keep their names, and two links double the folders with every step.
    """
    for folder, most in ((nodes, 0), (classes, 1)):
        links = [
            path
            for above, names, _ in os.walk(folder)
            for path in (Path(above, name) for name in names)
            if path.is_symlink() and Path(above).resolve().is_relative_to(path.resolve())
        ]
        if len(links) > most:
            raise Refused(f"{links[0]} is a link to a folder above it, which reclass follows without end; take it away")


def absolute(inventory: Files, name: str, other: str) -> str:
    """``.a`` and ``..a`` are relative to where the including class stands; one that is a folder's init stands in it."""
    if not other.startswith("."):
        return other
    ups = len(other) - len(other.lstrip("."))
    parts = name.split(".")
    if inventory.classes[name].stem == "init":
        parts = [*parts, ""]
    return ".".join([*parts[: len(parts) - ups], other.lstrip(".")])


def includes(inventory: Files, name: str) -> list[str]:
    """The classes that a class itself includes and that are there, by their whole names."""
    found = (absolute(inventory, name, other) for other in inventory.included(inventory.classes[name]))
    return [other for other in found if other in inventory.classes]


def closure(inventory: Files, file: Path) -> list[str]:
    """The classes that a node's file includes, at any depth, each once."""
    seen: dict[str, None] = {}
    left = [name for name in inventory.included(file) if name in inventory.classes]
    while left:
        name = left.pop()
        if name not in seen:
            seen[name] = None
            left += includes(inventory, name)
    return list(seen)


def _circle(inventory: Files, names: list[str]) -> tuple[str, ...]:
    """The first circle: its classes in order, with the first at the end once more."""
    done: set[str] = set()
    left = [(name, ()) for name in reversed(names) if name in inventory.classes]  # type: list[tuple[str, tuple[str, ...]]]
    while left:
        name, way = left.pop()
        if name in way:
            return (*way[way.index(name) :], name)
        if name not in done:
            done.add(name)
            left += [(other, (*way, name)) for other in reversed(includes(inventory, name))]
    return ()


def _longest(inventory: Files, files: list[Path]) -> Chain | None:
    """(file, key, hops) of the longest chain of whole references in these files."""
    leads: dict[str, tuple[str, str]] = {}
    for file in files:
        for key, text in _references(inventory.mapping(file).get("parameters"), ""):
            leads[key] = (text, str(file))
    ends = set(leads) - {text for text, _ in leads.values()}
    return max(((leads[key][1], key, _hops(leads, key)) for key in ends), key=lambda one: one[2], default=None)


def _hops(leads: Mapping[str, tuple[str, str]], key: str) -> int:
    seen: set[str] = set()
    while key in leads and key not in seen:
        seen.add(key)
        key = leads[key][0]
    return len(seen)


def _references(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _references(below, f"{key}:{name}" if key else str(name))
    elif isinstance(value, str) and (whole := _WHOLE.fullmatch(value)):
        yield key, whole.group(1)
