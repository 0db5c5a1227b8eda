"""What a run tells those who watch it. The engine prints nothing; observers decide how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from upgrader.plan.step import Plan, Step
from upgrader.transport.reply import Reply


@dataclass(frozen=True)
class Progress:
    """Rows or megabytes done, of how many (None: nobody knows), and the seconds that are left at the pace so far."""

    what: str
    done: int
    total: int | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class RunStarted:
    """A run begins, or goes on when ``resumed``."""

    run_id: str
    plan: Plan
    resumed: bool


@dataclass(frozen=True)
class StepStarted:
    """A step's call is about to be submitted, or its earlier job is waited for again when ``reattached``."""

    step: Step
    number: int
    total: int
    reattached: bool = False


@dataclass(frozen=True)
class StepWaiting:
    """Nothing new yet: ``seconds`` since the start, the nodes that have not answered, and how far the step has come."""

    step: Step
    seconds: float
    missing: tuple[str, ...]
    progress: Progress | None = None


@dataclass(frozen=True)
class StepFinished:
    """Every node has answered or was given up."""

    step: Step
    number: int
    total: int
    ok: bool
    seconds: float
    replies: Mapping[str, Reply]
    reason: str = ""


@dataclass(frozen=True)
class BatchFinished:
    """One batch of a step that goes over many nodes has ended: how many of the step's nodes are done and have failed by now."""

    step: Step
    done: int
    failed: int
    total: int


@dataclass(frozen=True)
class StepPassed:
    """The step was settled in an earlier attempt of this run, or cannot be reached because of another one."""

    step: Step
    number: int
    total: int
    why: str


@dataclass(frozen=True)
class RunFinished:
    """The run is over; ``failed`` gives the reason of each step that did not succeed, ``not_reached`` why others were not begun."""

    run_id: str
    ok: bool
    seconds: float
    failed: Mapping[str, str] = field(default_factory=dict)
    not_reached: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ObserverDropped:
    """Another observer raised and hears nothing any more; the run goes on."""

    observer: str
    error: str


Event = (
    RunStarted | StepStarted | StepWaiting | StepFinished | BatchFinished | StepPassed | RunFinished | ObserverDropped
)


class Observer(Protocol):
    """Somebody who wants to know. An observer must not fail a run: it only shows."""

    def notify(self, event: Event) -> None:
        """Take note of one event."""
