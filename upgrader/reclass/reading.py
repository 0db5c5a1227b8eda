"""One file of a model: read, or told in a sentence why it cannot be; and the keys that stand in it twice.

YAML takes the last of two equal keys without a word, follows an alias into itself, and makes thousands of millions of values of
nine lines. Salt and reclass come to grief with that much later, and name no file.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from upgrader_node.host import quick_yaml

DEEPEST = 100
"""Levels of nesting; reclass 2.0.0 gives up at some 300 (measured)."""
MOST = 1_000_000
"""Values in one file, each alias counted as what it stands for."""
MERGE = "tag:yaml.org,2002:merge"


class BadFile(Exception):
    """A file of the model that cannot be read: its path and one sentence. Holds nothing of its contents."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(what)
        self.path = path


@dataclass(frozen=True)
class Doubled:
    """A key that stands twice in one mapping of a file, its lines, and whether both say the same."""

    file: str
    key: str
    first: int
    last: int
    same: bool


def read_mapping(path: str, text: str | None = None) -> dict[str, Any]:
    """What a file of the model holds; BadFile says why it cannot be read. The path of a YAML error comes with its line."""
    return read(path, text)[0]


def read(path: str, text: str | None = None) -> tuple[dict[str, Any], tuple[Doubled, ...]]:
    """What a file holds, and its doubled keys. Raises BadFile."""
    try:
        return _parsed(path, text if text is not None else text_of(path))
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise BadFile(path, f"it is not valid YAML{line} ({problem or 'unreadable characters'}); correct it") from None


def text_of(path: str) -> str:
    """A file's text. Raises BadFile for one that is none, or no file: opening a pipe would wait for ever."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise BadFile(path, "it is no file with a text (a folder, a pipe or a device); put the file there")
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BadFile(path, f"it cannot be read ({error.strerror}); it must be readable UTF-8 text") from None
    except UnicodeDecodeError:
        raise BadFile(path, "it is not UTF-8; it must be readable UTF-8 text") from None


def _parsed(path: str, text: str) -> tuple[dict[str, Any], tuple[Doubled, ...]]:
    loader = quick_yaml.loader_of(yaml)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return {}, ()
        _Measure(path).of(root, ())
        doubled = tuple(_doubled(path, root, (), set()))  # before a merge key (<<) brings others in
        held = quick_yaml.built(yaml, loader, root)
    except RecursionError:
        raise BadFile(path, _deep("")) from None
    finally:
        loader.dispose()
    if held is not None and not isinstance(held, dict):
        raise BadFile(path, "it must be a mapping with the keys classes and parameters; correct it")
    return held or {}, doubled


def _deep(key: str) -> str:
    where = f"below {key} it" if key else "it"
    return f"{where} is nested deeper than {DEEPEST} levels, which reclass cannot follow; correct it"


class _Measure:
    """How many values a node stands for and how many levels; each node is looked at once, whatever refers to it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def of(self, node: Any, key: tuple[str, ...]) -> tuple[int, int]:
        if id(node) in self._open:
            raise BadFile(self._path, f"{_joined(key)} holds itself by an alias (*name), so it has no end; correct it")
        if id(node) not in self._known:
            self._open.add(id(node))
            parts = [self.of(below, (*key, *name)) for name, below in _below(node)] if len(key) < DEEPEST else []
            self._open.discard(id(node))
            self._known[id(node)] = 1 + sum(size for size, _ in parts), 1 + max((deep for _, deep in parts), default=0)
        size, deep = self._known[id(node)]
        if len(key) + deep > DEEPEST:
            raise BadFile(self._path, _deep(_joined(key)))
        if size > MOST:
            what = f"{_joined(key)} stands for {size:,} values by its aliases, and {MOST:,} are the most; correct it"
            raise BadFile(self._path, what)
        return size, deep


def _below(node: Any) -> Iterator[tuple[tuple[str], Any]]:
    """(key, node) of the parts of a mapping or a list."""
    if isinstance(node, yaml.MappingNode):
        yield from (((_name(key),), value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from (((str(number),), value) for number, value in enumerate(node.value))


def _name(node: Any) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "?"


def _joined(key: tuple[str, ...]) -> str:
    """The key as the rest of the tool writes it, without the word of reclass's before pillar's; cut where it is long."""
    inside = key[1:] if key[:1] == ("parameters",) and len(key) > 1 else key
    return ":".join(inside[:5]) + (":..." if len(inside) > 5 else "") or "the file"


def _doubled(path: str, node: Any, key: tuple[str, ...], seen: set[int]) -> Iterator[Doubled]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        last: dict[str, tuple[Any, Any]] = {}
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != MERGE:
                if name.value in last:
                    lines = (last[name.value][0].start_mark.line + 1, name.start_mark.line + 1)
                    same = _plain(last[name.value][1]) == _plain(value)
                    yield Doubled(path, _joined((*key, name.value)), *lines, same)
                last[name.value] = (name, value)
    for names, below in _below(node):
        yield from _doubled(path, below, (*key, *names), seen)


def _plain(node: Any) -> Any:
    """A node as something that can be compared."""
    if isinstance(node, yaml.ScalarNode):
        return (node.tag, node.value)
    parts = [_plain(below) for _, below in _below(node)]
    names = [_name(key) for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    return (node.tag, names, parts)
