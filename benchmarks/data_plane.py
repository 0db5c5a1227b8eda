"""How many computes the engine can take through an upgrade: its own time for each node, its memory, and how long a journal takes to read.

``python -m benchmarks.data_plane [1000]``. Nodes are simulated (``tests/support/fleet.py``): answers come late, two of a hundred nodes fail.
What Salt, apt and the nodes take is not in these figures.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.support.clock import Clock
from tests.support.data_plane import TEST_RUN, data_plane_cloud, data_plane_plan
from tests.support.fleet import Fleet, computes, difference
from upgrader.engine.run import Engine
from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.progress import read_progress
from upgrader.plan.step import Plan, Rollout
from upgrader.report.account.document import report_document
from upgrader.report.account.forms import FORMS
from upgrader.report.status import status_text


def main(number: int) -> None:
    """A table of figures on stdout."""
    nodes, rows = computes(number), list[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as folder:
        for stage, batch in (("test", 0), ("all", 50)):
            rows += measured(Path(folder) / f"{stage}.jsonl", stage, batch, nodes)
    rows.append(
        (
            "memory of the whole process at its peak",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB",
        )
    )
    print(f"| {number} computes | |\n|---|---|")
    print("\n".join(f"| {name} | {value} |" for name, value in rows))


def measured(path: Path, stage: str, batch: int, nodes: tuple[str, ...]) -> list[tuple[str, str]]:
    """One stage from its first line to its last: with failures, then resumed when they are mended."""
    cloud = data_plane_cloud(nodes, ())
    digests = {node: str(difference(node)["digest"]) for node in nodes} if stage == "all" else {}
    given = Rollout(nodes, nodes, digests, dict.fromkeys(digests, TEST_RUN), batch, "5%", closes=stage == "all")
    plan, planned = timed(lambda: data_plane_plan(stage, given, cloud))
    clock = Clock()
    salt = Fleet(clock)
    began = time.monotonic()
    outcome, forward = timed(lambda: engine(Journal.create(path), salt, clock).start(plan, "r", "me"))
    wall = time.monotonic() - began
    failed, _ = len(outcome.failed), outcome
    salt.mended = True
    resumed = 0.0
    if not outcome.ok:
        outcome, resumed = timed(lambda: engine(Journal.open(path), salt, clock).resume("me"))
    assert outcome.ok, outcome.reason
    records, replay = timed(lambda: read_journal(path))
    run, fold = timed(lambda: read_progress(records))
    text, status = timed(lambda: status_text(run, path, False, datetime.now(timezone.utc)))
    page, report = timed(lambda: FORMS["html"](report_document(records, str(path), False)))
    return [
        (
            f"{stage}: plan of {len(list(plan.steps()))} steps, made and checked",
            f"{planned:.2f} s, {len(plan.to_json()) / 1e6:.1f} MB",
        ),
        (
            f"{stage}: engine, each node",
            f"{1000 * forward / len(nodes):.1f} ms ({1000 * wall / len(nodes):.1f} with its waits for the disk)",
        ),
        (f"{stage}: resume of what failed ({failed} steps)", f"{resumed:.2f} s"),
        (f"{stage}: journal", f"{path.stat().st_size / 1e6:.1f} MB, {len(records)} lines"),
        (f"{stage}: journal read and folded", f"{replay + fold:.2f} s"),
        (f"{stage}: status", f"{status:.2f} s, {len(text.splitlines())} lines"),
        (f"{stage}: report", f"{report:.2f} s, {len(page) / 1e6:.1f} MB"),
    ]


def engine(journal: Journal, salt: Fleet, clock: Clock) -> Engine:
    """On the simulated clock: its pauses cost nothing."""
    return Engine(journal, salt, clock.now, clock=clock, pause=clock.pause)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the seconds of the processor that it took: waits for the disk and for other processes are not among them."""
    started = time.process_time()
    return work(), time.process_time() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)


__all__ = ["Plan", "main", "measured"]
