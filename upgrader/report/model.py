"""What ``upgrader model`` shows: a table per node, what would be added, and the JSON documents."""

from __future__ import annotations

import difflib
import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from upgrader.errors import printable
from upgrader.reclass.finding import Finding, Survey
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.needs import REHEARSAL
from upgrader.report.wording import node_list

ALL = "the whole model"
# Lines of a model that cannot hold a secret: comments, bare keys, items that look like a class, lists of such items.
_CLASS = r"""['"]?[\w${}:-]+(?:\.[\w${}:-]+)+['"]?"""
_HARMLESS = re.compile(rf"""^\s*(#.*|---|\.\.\.|[\w.-]+:|- +{_CLASS}(\s+#.*)?|classes:\s*\[[^\]]*\](\s+#.*)?)?\s*$""")


def check_text(inventory: Inventory, found: Survey) -> str:
    """A table per node, or per group of nodes that lack the same: what, into which file, and what to write there."""
    base = _base(inventory)
    lines = [f"model: {base}", "", roles_text(found), ""]
    for group, findings in _grouped(found.findings):
        lines += [f"{group}:", _table(findings, base), ""]
    for note in found.notes:
        lines += _wrapped(f"note: {note}", "")
    return printable("\n".join([*lines, summary(found) if found.findings else "nothing is missing"]))


def _grouped(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: one.nodes):
        groups.setdefault(finding.nodes, []).append(finding)
    return [(node_list(nodes) or ALL, found) for nodes, found in groups.items()]


def _table(findings: Iterable[Finding], base: str) -> str:
    """File by file: what to do there, and why."""
    files: dict[str, list[tuple[str, str]]] = {}
    for one in findings:
        why = _relative(one.what, base) + ("" if one.stage == REHEARSAL else f" ({one.stage})")
        row = (_relative(one.remedy, base), "\n".join(_wrapped(why, "", 60)))
        files.setdefault(_relative(one.file, base) or "by hand", []).append(row)
    tables = (
        f"{file}\n{textwrap.indent(tabulate(rows, tablefmt='plain', disable_numparse=True), '  ')}"
        for file, rows in files.items()
    )
    return textwrap.indent("\n".join(tables), "  ")


def _base(inventory: Inventory) -> str:
    """The folder that the model's two folders have in common; the root when there is none."""
    return os.path.commonpath([inventory.place.nodes, inventory.place.classes])


def _relative(text: str, base: str) -> str:
    return text.replace(base.rstrip("/") + "/", "") if len(base) > 1 else text


def roles_text(found: Survey) -> str:
    """``database: dbs01, dbs02``, one line a role."""
    width = max(len(role) for role in found.roles)
    return "\n".join(f"{role:{width}}  {node_list(nodes) or '-'}" for role, nodes in found.roles.items())


def summary(found: Survey) -> str:
    """``7 things are missing or wrong``."""
    number = len(found.findings)
    return "1 thing is missing or wrong" if number == 1 else f"{number} things are missing or wrong"


def _wrapped(text: str, indent: str, width: int = 100) -> list[str]:
    """Long words stay whole: paths and class names are there to be copied."""
    deeper = indent + ("  " if text.startswith("- ") else "")
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False
    )


def check_document(inventory: Inventory, found: Survey) -> dict[str, Any]:
    """Schema ``upgrader.reclass/1``."""
    return {
        "schema": "upgrader.reclass/1",
        **_place(inventory, found),
        "complete": not found.findings,
        "roles": {role: list(nodes) for role, nodes in found.roles.items()},
        "findings": [_finding(finding) for finding in found.findings],
        "notes": list(found.notes),
        "unread": {role: list(keys) for role, keys in found.unread.items()},
    }


def _place(inventory: Inventory, found: Survey) -> dict[str, Any]:
    return {"nodes": str(inventory.place.nodes), "classes": str(inventory.place.classes), "prefix": found.prefix}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "nodes": list(finding.nodes),
        "stage": finding.stage,
        "what": finding.what,
        "file": finding.file,
        "name": finding.name,
        "remedy": finding.remedy,
    }


def prepare_text(inventory: Inventory, found: Survey, left: Sequence[Finding], written: str) -> str:
    """The diff, what has to be done by hand, and whether anything was written (``written``: where originals are kept)."""
    base = _base(inventory)
    if not found.edits:
        head = ["nothing to add: every include is there"]
    else:
        head = [diff(found.edits).rstrip("\n"), ""]
        verb = "written; the originals are in " + written if written else "nothing was written; --write does it"
        head.append(f"{len(found.edits)} file{'s' if len(found.edits) > 1 else ''}: {verb}")
    for group, findings in _grouped(left):
        head += ["", f"by hand, for {group}:", _table(findings, base)]
    return printable("\n".join(head))


def prepare_document(inventory: Inventory, found: Survey, left: Sequence[Finding], written: str) -> dict[str, Any]:
    """Schema ``upgrader.reclass-prepare/1``."""
    return {
        "schema": "upgrader.reclass-prepare/1",
        **_place(inventory, found),
        "written": bool(written),
        "originals": written or None,
        "files": [
            {"path": str(path), "new": old is None, "diff": diff({path: (old, new)})}
            for path, (old, new) in found.edits.items()
        ],
        "by_hand": [_finding(finding) for finding in left],
    }


def diff(edits: Mapping[Path, tuple[str | None, str]]) -> str:
    """A unified diff to read. Lines that were there and may hold a secret show ``***`` for their value."""
    shown: list[str] = []
    for path, (old, new) in edits.items():
        before, after = (old or "").splitlines(), new.splitlines()
        names = ("/dev/null" if old is None else str(path), str(path))
        lines = difflib.unified_diff(before, after, *names, n=2, lineterm="")
        shown += [
            line if number < 2 or line.startswith("@@") else line[0] + _masked(line[1:])
            for number, line in enumerate(lines)
        ]
    return "".join(line + "\n" for line in shown)


def _masked(line: str) -> str:
    if _HARMLESS.match(line):
        return line
    key = re.match(r"^(\s*(?:- +)?[\w.-]+:)\s", line)
    return f"{key.group(1)} ***" if key else f"{line[: len(line) - len(line.lstrip())]}***"
