"""The report's tables of a run over computes and gateways, made from the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from upgrader.report.account.table import MOST, Document, Table
from upgrader.report.wording import node_list, short, size

WORST = 50
"""Paths that are told one by one, those with the longest gap first; the JSON document has all."""


def _nodes(document: Document) -> Table:
    """Failed nodes one by one; of the others how many there are, by batch."""
    found = document["nodes"]
    failed = [one for one in found if one["state"] == "failed"]
    rows = [
        (short(one["node"]), f"batch {one['batch']}", one["state"], f"{one['step']}: {one['reason']}")
        for one in failed[:MOST]
    ]
    states = ["failed" for _ in rows]
    for batch in dict.fromkeys(one["batch"] for one in found):
        for state in dict.fromkeys(one["state"] for one in found if one["batch"] == batch and one["state"] != "failed"):
            nodes = [one["node"] for one in found if (one["batch"], one["state"]) == (batch, state)]
            rows.append((node_list(nodes), f"batch {batch}", f"{len(nodes)} {state}", ""))
            states.append(state)
    done = sum(one["state"] == "done" for one in found)
    said = f"{done} of {len(found)} nodes are done, {len(failed)} failed."
    return Table("Nodes", said, ("nodes", "batch", "state", "failed at"), rows, states, first=True)


def _losses(document: Document) -> Table:
    """By class over all nodes, then the paths that lost the most."""
    found = document["losses"]
    classes: dict[str, list[Mapping[str, Any]]] = {}
    for one in found:
        classes.setdefault(str(one.get("class", "")), []).append(one)
    rows = [
        (name, f"all {len(paths)} paths", _lost(paths), f"{max(map(_longest, paths)):.2f}", _where(paths))
        for name, paths in sorted(classes.items())
    ]
    worst = sorted((one for one in found if one.get("lost")), key=lambda one: -_longest(one))[:WORST]
    rows += [
        (str(one.get("class", "")), str(one.get("name", "")), _lost([one]), f"{_longest(one):.2f}", short(one["node"]))
        for one in worst
    ]
    said = (
        "Echoes through each path while its node was worked on; the longest gap is the time in which nothing came back."
    )
    dead = [one for one in found if one.get("dead_seconds")]
    more = f" At the end {len(dead)} did not answer." if dead else ""
    headers = ("class", "path", "lost", "longest gap, s", "node")
    return Table("Loss", said + more, headers, rows, ["" for _ in rows], first=True)


def _lost(paths: Sequence[Mapping[str, Any]]) -> str:
    lost, sent = (sum(int(one.get(key) or 0) for one in paths) for key in ("lost", "sent"))
    return f"{lost:,} of {sent:,}"


def _longest(one: Mapping[str, Any]) -> float:
    return float(one.get("longest_seconds") or 0.0)


def _where(paths: Sequence[Mapping[str, Any]]) -> str:
    """The node of the longest gap."""
    worst = max(paths, key=_longest)
    return short(str(worst["node"])) if _longest(worst) else ""


def _differences(document: Document) -> Table:
    """Nodes of which the same is true stand together; what is no plain upgrade comes first."""
    rows = []
    for one in document["differences"]:
        nodes = f"{len(one['nodes'])}: {node_list(one['nodes'])}"
        odd = sorted(
            one["packages"], key=lambda row: (row.get("action") in ("upgrade", "install"), str(row.get("name")))
        )
        rows += [
            (
                nodes, str(row.get("name", "")), str(row.get("from") or ""), str(row.get("to") or ""),
                size(row["size"]) if row.get("size") else "", str(row.get("action", "")),
            )
            for row in odd
        ]  # fmt: skip
    more = f" The first {MOST} of {len(rows)} rows; the JSON report has all." if len(rows) > MOST else ""
    headers = ("nodes", "package", "from", "to", "size", "action")
    states = ["" if row[-1] in ("upgrade", "install") else "warning" for row in rows[:MOST]]
    return Table("Package difference", f"What an upgrade would change.{more}", headers, rows[:MOST], states)


NODE_TABLES: Sequence[Callable[[Document], Table]] = (_nodes, _losses, _differences)
