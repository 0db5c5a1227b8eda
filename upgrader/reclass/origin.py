"""Where a value of a node's pillar was written: through references, to the file and the key that an operator edits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from upgrader_node.host import pillar as host_pillar

from upgrader.reclass.inventory import Inventory, Rendered

MARKS = ("", "~", "=", "^")
"""What reclass reads before a key: as it is, in place of what was there, constant, and not followed."""
HOPS = 50
_WHOLE = re.compile(r"\$\{([^${}]+)\}")


def origin(inventory: Inventory, rendered: Rendered, key: str) -> tuple[str, str] | None:
    """(file, key as it is named there) of what a node's pillar has at ``key``; None where no file says it.

    Of several files the last one counts, as it does for reclass; a value that is one reference is followed.
    """
    found = None
    for _ in range(HOPS):
        here = _said(inventory, rendered, key)
        if here is None:
            return found
        file, value, at, rest = here
        found = (file, at)
        whole = _WHOLE.fullmatch(_named(value, rendered)) if isinstance(value, str) else None
        if whole is None:
            return found
        key = ":".join((whole.group(1), *rest))
    return found


def files(inventory: Inventory, rendered: Rendered) -> list[Path]:
    """The files that a node is made of; what a later one says wins."""
    return [
        *(inventory.classes[name] for name in rendered.classes if name in inventory.classes),
        inventory.nodes[rendered.node],
    ]


def _named(text: str, rendered: Rendered) -> str:
    """A reference whose name holds references (``${a${b}c}``) with these in place; other text as it is."""
    for _ in range(HOPS):
        inner = _WHOLE.search(text)
        if inner is None or inner.span() == (0, len(text)) or not text.startswith("${"):
            return text
        text = text[: inner.start()] + str(host_pillar.value(rendered.pillar, inner.group(1), "")) + text[inner.end() :]
    return text


def _said(inventory: Inventory, rendered: Rendered, key: str) -> tuple[str, Any, str, tuple[str, ...]] | None:
    """(file, value, key, parts below it) of the last file that says something at ``key`` or, by a reference, above it."""
    parts = tuple(key.split(":"))
    for path in reversed(files(inventory, rendered)):
        for value, depth in _dug(inventory.mapping(path).get("parameters"), parts):
            return str(path), value, ":".join(parts[:depth]), parts[depth:]
    return None


def _dug(value: Any, parts: tuple[str, ...]) -> Iterator[tuple[Any, int]]:
    """The value at the end of ``parts``, or the text on the way there; nothing where the way ends."""
    for depth, part in enumerate(parts):
        if isinstance(value, str):
            yield value, depth
            return
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
            continue
        name = _marked(value, part) if isinstance(value, Mapping) else None
        if name is None:
            return
        value = value[name]
    yield value, len(parts)


def _marked(value: Mapping[str, Any], part: str) -> str | None:
    return next((mark + part for mark in MARKS if mark + part in value), None)
