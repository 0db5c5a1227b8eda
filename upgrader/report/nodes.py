"""What a run of the data plane did node by node, as text: what would change, who is done, who failed where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from upgrader.journal.batches import failed_nodes, subjects
from upgrader.journal.progress import RunProgress
from upgrader.journal.rollouts import DIFFERENCE, done_nodes
from upgrader.journal.step_fold import IN_DOUBT, StepProgress
from upgrader.plan.step import Step
from upgrader.report.wording import duration, node_list, short, size

DONE, FAILED, UNDER_WAY, WAITING = "done", "failed", "under way", "waiting"
MOST_FAILED = 20
"""Failed nodes that are told one by one."""
COLUMNS = ("package", "from", "to", "size", "action")


@dataclass(frozen=True)
class Standing:
    """Where one node is: its batch, and the step that it failed at with what was said, if it failed."""

    node: str
    batch: int
    state: str
    step: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Difference:
    """Nodes on which the same would change, and what."""

    nodes: tuple[str, ...]
    digest: str
    packages: tuple[Mapping[str, Any], ...]

    @property
    def bytes(self) -> int:
        """To be fetched, by each node."""
        return sum(one["size"] for one in self.packages if isinstance(one.get("size"), int))


def standings(run: RunProgress) -> list[Standing]:
    """Every node that goes through the run in batches, in that order."""
    batch = {node: step.batch for step in run.plan.steps() if step.batch for node in subjects(step)}
    begun = {step.batch for step in run.plan.steps() if step.batch and run.steps[step.id].attempts}
    failed, done = failed_nodes(run), set(done_nodes(run))
    return [_standing(run, node, batch[node], failed, done, begun) for node in run.plan.in_batches()]


def _standing(
    run: RunProgress, node: str, batch: int, failed: Mapping[str, str], done: set[str], begun: set[int]
) -> Standing:
    if node in failed and not _unanswered(run.steps[failed[node]], node):
        state = run.steps[failed[node]]
        reply = state.replies.get(node) or {}
        return Standing(node, batch, FAILED, failed[node], str(reply.get("error") or state.reason))
    return Standing(
        node, batch, DONE if node in done else UNDER_WAY if batch in begun else WAITING, failed.get(node, "")
    )


def _unanswered(state: StepProgress, node: str) -> bool:
    """A step that has begun and of which nothing was said yet: somebody works on it, or it was cut."""
    return state.state == IN_DOUBT and node not in state.replies and not state.reason


def differences(run: RunProgress) -> list[Difference]:
    """What the nodes said would change, those with the same answer together, the largest group first."""
    found: dict[str, tuple[list[str], Sequence[Mapping[str, Any]]]] = {}
    for step in run.plan.steps():
        for node, reply in run.steps[step.id].replies.items() if step.call.function == DIFFERENCE else ():
            value = reply.get("value")
            if isinstance(value, Mapping) and value.get("digest"):
                rows = [one for one in value.get("packages") or () if isinstance(one, Mapping)]
                found.setdefault(str(value["digest"]), ([], rows))[0].append(node)
    made = [Difference(tuple(sorted(nodes)), digest, tuple(rows)) for digest, (nodes, rows) in found.items()]
    return sorted(made, key=lambda one: -len(one.nodes))


def differences_text(run: RunProgress) -> str:
    """A table for each group of nodes: package, versions, size, what happens to it; what is no plain upgrade comes first."""
    parts = [_difference_text(one) for one in differences(run)]
    return "\n\n".join(parts) if parts else "no node said what would change"


def _difference_text(one: Difference) -> str:
    said = f"{node_list(one.nodes)}: " if len(one.nodes) <= 4 else f"{len(one.nodes)} nodes ({node_list(one.nodes)}): "
    if not one.packages:
        return f"{said}nothing would change"
    head = f"{said}{len(one.packages)} packages, {size(one.bytes)} each; digest {one.digest[:12]}"
    return f"{head}\n{tabulate(package_rows(one), COLUMNS, tablefmt='simple', disable_numparse=True)}"


def package_rows(one: Difference) -> list[tuple[str, ...]]:
    """``package, from, to, size, action``; removals, downgrades and what is held first."""
    odd = sorted(one.packages, key=lambda row: (row.get("action") in ("upgrade", "install"), str(row.get("name"))))
    return [
        (
            str(row.get("name", "")), str(row.get("from") or "-"), str(row.get("to") or "-"),
            size(row["size"]) if isinstance(row.get("size"), int) and row["size"] else "", str(row.get("action", "")),
        )
        for row in odd
    ]  # fmt: skip


def batch_rows(run: RunProgress) -> Iterator[tuple[str, ...]]:
    """A run's steps as rows of a table, those of one batch in one row: a thousand nodes have hundreds of steps."""
    held = standings(run)
    seen: set[int] = set()
    for number, step in enumerate(run.plan.steps(), start=1):
        if step.batch == 0:
            yield _row(run, number, step)
        elif step.batch not in seen:
            seen.add(step.batch)
            yield _batch_row(run, number, step.batch, [one for one in held if one.batch == step.batch])


def _row(run: RunProgress, number: int, step: Step) -> tuple[str, ...]:
    state = run.steps[step.id]
    took = "" if state.seconds is None else duration(state.seconds)
    return (str(number), step.id, state.state, took, str(state.attempts or ""))


def _batch_row(run: RunProgress, number: int, batch: int, nodes: Sequence[Standing]) -> tuple[str, ...]:
    steps = [run.steps[step.id] for step in run.plan.steps() if step.batch == batch]
    counted = [(state, sum(one.state == state for one in nodes)) for state in (DONE, FAILED, UNDER_WAY, WAITING)]
    at = next((one.step for one in nodes if one.state == UNDER_WAY and one.step), "")
    told = {UNDER_WAY: f"{UNDER_WAY} at {at}" if at else UNDER_WAY}
    said = ", ".join(f"{count} {told.get(state, state)}" for state, count in counted if count)
    took = sum(one.seconds or 0 for one in steps)
    name = f"batch {batch}: {node_list([one.node for one in nodes])}"
    tries = max((one.attempts for one in steps), default=0)
    return (f"{number}-{number + len(steps) - 1}", name, said, duration(took) if took else "", str(tries or ""))


def failed_text(run: RunProgress) -> list[str]:
    """``cmp007 at b2-packages: dpkg was interrupted``, a line for each node that failed."""
    bad = [one for one in standings(run) if one.state == FAILED]
    lines = [f"{short(one.node)} failed at {one.step}: {one.reason}" for one in bad[:MOST_FAILED]]
    return [*lines, *([f"and {len(bad) - MOST_FAILED} more nodes failed"] if len(bad) > MOST_FAILED else [])]
