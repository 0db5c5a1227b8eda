"""What `upgrader site` says: the nodes as the site's Salt describes them, and what each came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from upgrader.beside.joining import Outcome
from upgrader.beside.nodes import NodeFacts

ONE_IS_ENOUGH = 3006


def check_text(facts: Mapping[str, NodeFacts | None], obstacles: Sequence[str]) -> str:
    """The table of nodes, and what stands against joining."""
    rows = [[node, *_row(one)] for node, one in facts.items()]
    table = tabulate(rows, headers=["node", "system", "init", "site's Salt", "its Python"], tablefmt="simple")
    told = "\n".join(f"- {one}" for one in obstacles) or "Every node can join."
    return f"{table}\n\n{told}{_enough(facts)}"


def _row(one: NodeFacts | None) -> list[str]:
    return ["silent", "", "", ""] if one is None else [one.system, one.init, one.salt, one.python]


def _enough(facts: Mapping[str, NodeFacts | None]) -> str:
    releases = [one.salt.split(".")[0] for one in facts.values() if one]
    if releases and all(part.isdigit() and int(part) >= ONE_IS_ENOUGH for part in releases):
        return f"\nThe site's Salt is {ONE_IS_ENOUGH} or newer on all of them: it can do our work itself, and there is no need to join."
    return ""


def check_document(facts: Mapping[str, NodeFacts | None], obstacles: Sequence[str]) -> dict[str, Any]:
    """Schema ``upgrader.site-check/1``."""
    return {
        "schema": "upgrader.site-check/1",
        "nodes": {node: _facts(one) for node, one in facts.items()},
        "obstacles": list(obstacles),
    }


def _facts(one: NodeFacts | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "system": one.system,
        "init": one.init,
        "salt": one.salt,
        "python": one.python,
        "masters": list(one.masters),
        "lacks": list(one.lacks),
    }


def outcome_text(outcome: Outcome, done: str) -> str:
    """A line for each node: what it came to."""
    lines = [f"{node}: {done}" for node in outcome.done] + [f"{node}: {why}" for node, why in outcome.failed.items()]
    lines += [
        f"{node}: kept {', '.join(paths)}; remove it yourself when nobody needs it"
        for node, paths in outcome.kept.items()
    ]
    return "\n".join(lines)
