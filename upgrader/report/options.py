"""The config report: a table for each controller, what Ocata sees in another way in its files and what to write instead."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from tabulate import tabulate

# With two spaces between them, 80 columns; the names of options are long, and are copied from here.
WIDTHS = {"kind": 10, "option": 31, "what and remedy": 35}
NONE = "config report: pillar upgrader:nodes:control names no controller, so no configuration was read"


def options_text(controllers: Mapping[str, Mapping[str, Any]]) -> str:
    """A table a node, service by service in the order of the rows; a node that failed has its sentence."""
    return "\n\n".join(_node(node, answer) for node, answer in sorted(controllers.items())) if controllers else NONE


def _node(node: str, answer: Mapping[str, Any]) -> str:
    if "error" in answer:
        return f"{node}: {answer['error']}"
    rows: Sequence[Mapping[str, str]] = answer.get("options") or []
    parts = [f"{node}: {answer.get('comment', '')}"]
    for service, release in sorted((answer.get("releases") or {}).items()):
        of = [row for row in rows if row["service"] == service]
        parts += [f"{node}, {service} against {release}:", _table(of)] if of else []
    return "\n".join(parts)


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """Each file is named once, above its options."""
    cells, file = [], ""
    for row in rows:
        if row["file"] != file:
            cells.append(["", _wrapped(PurePosixPath(row["file"]).name, WIDTHS["option"]), ""])
        file = row["file"]
        kind = "BLOCKER" if row["severity"] == "blocker" else row["kind"].replace("-", " ")
        # A renamed option's remedy says all of it.
        text = row["remedy"] if row["kind"] == "renamed" else f"{row['what']}; {row['remedy']}"
        texts = (kind, f"[{row['group']}] {row['option']}", text)
        cells.append([_wrapped(cell, width) for cell, width in zip(texts, WIDTHS.values(), strict=True)])
    return tabulate(cells, list(WIDTHS), tablefmt="simple", disable_numparse=True)


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False)) or text
