"""Where a run stands, on one screen: what runs on which node since when, what is next, what to type, and the steps around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from tabulate import tabulate

from upgrader.journal.progress import ABANDONED, FINISHED, RunProgress
from upgrader.journal.step_fold import DONE, DOUBTFUL, PENDING, SETTLED
from upgrader.journal.way import failing, not_reached
from upgrader.plan.step import Step
from upgrader.report import nodes
from upgrader.report.outcome import unreached, unreached_lines
from upgrader.report.text import now_sentence, run_sentence
from upgrader.report.wording import duration, node_list

BEFORE, AFTER, MOST_OPEN = 2, 3, 8
"""Rows that are shown: so many settled ones, so many that wait, and so many of those between."""
COLUMNS = ("#", "step", "state", "time", "tries")
RUNS = "runs"
Row = tuple[str, ...]


def status_text(run: RunProgress, journal: Path, locked: bool, now: datetime, whole: bool = False) -> str:
    """The screen. ``locked``: a process works on the cloud now. ``whole``: every step, however many there are."""
    working = locked and run.state not in (FINISHED, ABANDONED)
    sentence = now_sentence(run) if working else run_sentence(run)
    process = "a process is working on it now" if locked else "no process is working on it"
    lines = [sentence, f"{process}; started {run.started_at} by {run.operator}; journal {journal}"]
    lines += [f"{name:<5} {what}" for name, what in _where(run, working, now)]
    rows = [_at_work(row) for row in nodes.batch_rows(run)] if working else list(nodes.batch_rows(run))
    shown = rows if whole else list(_around(rows))
    lines += ["", tabulate(shown, COLUMNS, tablefmt="simple", disable_numparse=True)]
    failed, left = nodes.failed_text(run), unreached_lines(unreached(run))
    lines += [*(["", *failed] if failed else []), *(["", *left] if left else [])]
    return "\n".join([*lines, *(["", "every step: upgrader status --all"] if len(shown) < len(rows) else [])])


def _where(run: RunProgress, working: bool, now: datetime) -> Iterator[tuple[str, str]]:
    if not working:
        return
    at = _open(run)
    for step in at:
        state = run.steps[step.id]
        missing = [node for node in state.nodes or step.call.nodes if node not in state.done_nodes()]
        yield "now:", f"{step.id} on {node_list(missing)}{_since(state.begun_at, now)}"
    following = _next(run, {step.id for step in at})
    if following:
        yield "next:", f"{following.title} ({following.id})"
    yield "type:", f"upgrader watch {run.run_id}"


def _open(run: RunProgress) -> list[Step]:
    """What is being done: the last step that was begun, and those of the lanes beside it."""
    at = [step for step in failing(run) if run.steps[step.id].state in DOUBTFUL]
    return [step for step in at if step.lane] if at and at[-1].lane else at[-1:]


def _since(begun: str, now: datetime) -> str:
    """``, since 12:10:40 UTC (41 s)``; empty where the journal does not say when."""
    try:
        moment = datetime.fromisoformat(begun)
    except ValueError:
        return ""
    return f", since {moment:%H:%M:%S} UTC ({duration(max(0.0, (now - moment).total_seconds()))})"


def _next(run: RunProgress, at: set[str]) -> Step | None:
    """The first step that waits for nothing but what is done now: one behind a step that failed is not reached."""
    causes = not_reached(run)
    waiting = [step for step in run.plan.steps() if run.steps[step.id].state == PENDING]
    return next((step for step in waiting if at.issuperset(causes.get(step.id, ()))), None)


def _at_work(row: Row) -> Row:
    """What is open while a process works is not in doubt: it is being done."""
    return (*row[:2], RUNS, *row[3:]) if row[2] in DOUBTFUL else row


def _around(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows about which there is something to say, with a few before and behind them; what is left out is counted."""
    if len(rows) <= BEFORE + MOST_OPEN + AFTER:
        yield from rows
        return
    kinds = [_kind(row[2]) for row in rows]
    by_kind = {kind: [number for number, one in enumerate(kinds) if one == kind] for kind in (DONE, PENDING, "")}
    shown = sorted({*by_kind[""][:MOST_OPEN], *by_kind[DONE][-BEFORE:], *by_kind[PENDING][:AFTER]})
    last = -1
    for number in [*shown, len(rows)]:
        hidden = kinds[last + 1 : number]
        if hidden:
            yield ("...", _counted(hidden), "", "", "")
        if number < len(rows):
            yield rows[number]
        last = number


def _kind(state: str) -> str:
    """Done, pending, or neither; a batch counts as its nodes do."""
    of_all = state.split(" ", 1)[1] if state[:1].isdigit() and "," not in state else state
    if of_all in SETTLED:
        return DONE
    return PENDING if of_all in (PENDING, nodes.WAITING) else ""


def _counted(kinds: Sequence[str]) -> str:
    """``34 done``, ``80 pending``, ``3 done, 2 others``."""
    return ", ".join(f"{kinds.count(kind)} {kind or 'others'}" for kind in dict.fromkeys(kinds))
