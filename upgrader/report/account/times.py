"""When a run did what: its attempts, and within them each step's tries and each node's part. Read from the journal's lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from upgrader.journal.journal import Record

DONE, FAILED, CUT, RUNNING = "done", "failed", "cut off", "running"
STARTED, RESUMED, INTERRUPTED, FINISHED, ABANDONED = (
    "run-started", "run-resumed", "run-interrupted", "run-finished", "run-abandoned",
)  # fmt: skip

FRACTION = re.compile(r"\.\d+")
"""Python 3.10 reads three digits or six, and a prober writes one."""


@dataclass(frozen=True)
class Span:
    """Something that lasted: from, until (UTC, ISO 8601), and how it ended. ``reason`` says why it did not end well."""

    begun: str
    ended: str
    state: str
    reason: str = ""

    @property
    def seconds(self) -> float:
        """How long it took, by the wall clock of the journal's lines."""
        return seconds_between(self.begun, self.ended)


@dataclass(frozen=True)
class Tries:
    """What a run's lines say of one step: every try of it as a whole, and every node's part where it goes node by node."""

    whole: tuple[Span, ...] = ()
    nodes: tuple[tuple[str, Span], ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One attempt at the run: a start or a resume, by whom, and how it ended (``cut off``: nobody wrote its end)."""

    kind: str
    operator: str
    span: Span
    accepted: tuple[str, ...] = ()


@dataclass
class _Clock:
    """What is open while the lines are read."""

    attempts: list[Attempt] = field(default_factory=list)
    whole: dict[str, list[Span]] = field(default_factory=dict)
    nodes: dict[str, list[tuple[str, Span]]] = field(default_factory=dict)
    open_steps: dict[str, str] = field(default_factory=dict)
    open_nodes: dict[tuple[str, str], str] = field(default_factory=dict)
    last: str = ""


def times(rows: Sequence[Record], in_progress: bool) -> tuple[list[Attempt], dict[str, Tries]]:
    """The attempts in their order, and each step's tries by its id. ``in_progress``: what is open at the end still runs."""
    clock = _Clock()
    for row in rows:
        _take(clock, row)
        clock.last = row["at"]
    state = RUNNING if in_progress else CUT
    _close_all(clock, clock.last, state)
    _end_attempt(clock, clock.last, state, "")
    steps = {*clock.whole, *clock.nodes}
    tries = {one: Tries(tuple(clock.whole.get(one, ())), tuple(clock.nodes.get(one, ()))) for one in steps}
    return clock.attempts, tries


def _take(clock: _Clock, row: Record) -> None:
    event, at = row["event"], row["at"]
    if event in (STARTED, RESUMED):
        _close_all(clock, clock.last, CUT)
        _end_attempt(clock, clock.last, CUT, "")
        attempt = Attempt(event, str(row.get("operator", "")), Span(at, at, RUNNING), tuple(row.get("accepted", ())))
        clock.attempts.append(attempt)
    elif event in (INTERRUPTED, FINISHED, ABANDONED):
        _close_all(clock, at, CUT)
        _end_attempt(clock, at, _ending(row), row.get("reason", ""))
    elif "step" in row:
        _take_step(clock, row, row["step"], at)


def _take_step(clock: _Clock, row: Record, step: str, at: str) -> None:
    event = row["event"]
    if event == "step-started":
        clock.open_steps[step] = at
    elif event == "node-started":
        clock.open_nodes[step, row["node"]] = at
    elif event == "node-finished":
        reply = row["reply"]
        begun = clock.open_nodes.pop((step, row["node"]), None)
        if begun is not None:
            span = _span(begun, at, bool(reply.get("ok")), str(reply.get("error") or ""))
            clock.nodes.setdefault(step, []).append((row["node"], span))
    elif event == "step-finished":
        begun = clock.open_steps.pop(step, None) or earlier(at, row.get("seconds") or 0.0)
        clock.whole.setdefault(step, []).append(_span(begun, at, bool(row["ok"]), row.get("reason", "")))


def _span(begun: str, ended: str, ok: bool, reason: str) -> Span:
    return Span(begun, ended, DONE if ok else FAILED, "" if ok else reason)


def _close_all(clock: _Clock, at: str, state: str) -> None:
    for step, begun in clock.open_steps.items():
        clock.whole.setdefault(step, []).append(Span(begun, at, state))
    for (step, node), begun in clock.open_nodes.items():
        clock.nodes.setdefault(step, []).append((node, Span(begun, at, state)))
    clock.open_steps, clock.open_nodes = {}, {}


def _end_attempt(clock: _Clock, at: str, state: str, reason: str) -> None:
    """Only the first end counts: an attempt that failed is not cut off by the next one, and a run left behind keeps its end."""
    if not clock.attempts or clock.attempts[-1].span.state != RUNNING:
        return
    attempt = clock.attempts[-1]
    clock.attempts[-1] = replace(attempt, span=Span(attempt.span.begun, at, state, reason))


def _ending(row: Mapping[str, object]) -> str:
    if row["event"] == FINISHED:
        if row["ok"]:
            return "finished"
        return "refused" if row.get("refused") else FAILED
    return "interrupted" if row["event"] == INTERRUPTED else "left behind"


def seconds_between(begun: str, ended: str) -> float:
    """Never negative: somebody may have put the machine's clock back meanwhile."""
    return max(0.0, (moment(ended) - moment(begun)).total_seconds())


def moment(at: str) -> datetime:
    """A line's time, with any number of digits behind the second. Raises ValueError for a text that is none."""
    whole = FRACTION.sub(lambda found: found.group()[:7].ljust(7, "0"), at.replace("Z", "+00:00"))
    return datetime.fromisoformat(whole)


def earlier(at: str, seconds: float) -> str:
    """The time so many seconds before."""
    return (moment(at) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def working_seconds(attempts: Iterable[Attempt]) -> float:
    """How long somebody worked on the run: all attempts, without the time between them."""
    return sum(attempt.span.seconds for attempt in attempts)
