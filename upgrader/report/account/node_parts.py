"""What a run of the data plane says node by node, for the report: where each stands, what would change, what was lost on which path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from upgrader.journal.progress import RunProgress
from upgrader.report.nodes import differences, standings

Fields = dict[str, Any]
STOPPED = "upgrader_path.stop"
PATH = ("class", "name", "namespace", "address", "sent", "lost", "gaps", "longest_seconds", "dead_seconds", "why")
PACKAGE = ("name", "from", "to", "size", "action")
SIMPLE = (str, int, float, bool, type(None))


def nodes(run: RunProgress) -> list[Fields]:
    """Each node: its batch, where it stands, and the step that it failed at."""
    return [asdict(one) for one in standings(run)]


def package_differences(run: RunProgress) -> list[Fields]:
    """What would change, once for all nodes of which the same is true."""
    return [
        {
            "nodes": list(one.nodes),
            "digest": one.digest,
            "bytes": one.bytes,
            "packages": [_only(row, PACKAGE) for row in one.packages],
        }
        for one in differences(run)
    ]


def losses(run: RunProgress) -> list[Fields]:
    """Every path that was asked while a node was worked on: echoes sent and lost, and the longest time without an answer."""
    return [
        {"step": step, "node": node, **_only(path, PATH)}
        for step, node, value in _stopped(run)
        for path in value.get("paths") or ()
        if isinstance(path, Mapping)
    ]


def _stopped(run: RunProgress) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for step in run.plan.steps():
        if step.call.function == STOPPED:
            for node, reply in run.steps[step.id].replies.items():
                value = reply.get("value")
                if isinstance(value, Mapping):
                    yield step.id, node, value


def _only(given: Mapping[str, Any], keys: tuple[str, ...]) -> Fields:
    return {key: given[key] for key in keys if key in given and isinstance(given[key], SIMPLE)}


NODE_PARTS: Mapping[str, Callable[[RunProgress], list[Fields]]] = {
    "nodes": nodes,
    "differences": package_differences,
    "losses": losses,
}
"""Key of the document to what fills it; empty in a run that goes over no nodes in batches."""
