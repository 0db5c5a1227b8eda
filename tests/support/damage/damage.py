"""One damage of a model's files, and how kinds are told apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAMED, SAME, TAKEN = "named", "same", "taken"


@dataclass(frozen=True)
class Damage:
    """What was done to which file.

    ``key``: the class or pillar key that the sentence about it names; "" where the file is enough. ``lands``: what the sentence
    names in the file's place, where that is who asks for it. ``outcome``: NAMED, or SAME where every node's pillar is as it was,
    or TAKEN: another value that may well be meant. ``asked``: whether reclass itself can be asked without harm.
    """

    kind: str
    file: str
    key: str = ""
    outcome: str = NAMED
    lands: str = ""
    asked: bool = True


Kind = Callable[[Path, random.Random], Damage]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    """Adds it to the table under its name."""
    KINDS[function.__name__.replace("_", "-")] = function
    return function


def nodes_of(root: Path) -> list[Path]:
    return sorted((root / "nodes").rglob("*.yml"))


def classes_of(root: Path) -> list[Path]:
    """The operator's own: what a link leads to is this tool's."""
    return sorted(path for path in (root / "classes").rglob("*.yml") if "ocata" not in path.parts)


def every(root: Path) -> list[Path]:
    return [*nodes_of(root), *classes_of(root)]


def held(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text())
    return found if isinstance(found, dict) else {}


def write(path: Path, value: Any) -> None:
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False))


def leaves(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path of keys, value) of everything below mappings."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from leaves(below, (*at, str(name)))
    elif at:
        yield at, value


def put(value: Any, path: tuple[str, ...], new: Any) -> None:
    for part in path[:-1]:
        value = value.setdefault(part, {})
    value[path[-1]] = new


def relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root))
