"""Observers only show: whatever one of them cannot do, the run goes on between intent and effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.runs import Run
from upgrader.engine.events import Event, ObserverDropped, StepStarted
from upgrader.engine.run import Engine
from upgrader.journal.journal import Journal


class Broken:
    """Raises at one kind of event, and counts what it heard."""

    def __init__(self, at: type) -> None:
        self.at, self.heard = at, 0

    def notify(self, event: Event) -> None:
        self.heard += 1
        if isinstance(event, self.at):
            raise RuntimeError("no such colour")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def engine(run: Run, *observers: object) -> Engine:
    return Engine(Journal.create(run.path), run.salt, run.clock.now, observers, clock=run.clock, pause=run.clock.pause)  # type: ignore[arg-type]


def test_observer_that_raises_is_dropped_and_the_run_goes_on(run: Run) -> None:
    broken = Broken(StepStarted)
    assert engine(run, broken).start(run.plan, "r", "me").ok
    assert run.salt.submitted == ["do.gate", "do.one", "do.two", "do.tidy"]
    assert broken.heard == 2


@pytest.mark.parametrize("broken_first", [True, False])
def test_the_others_hear_that_an_observer_was_dropped_and_everything_else(run: Run, broken_first: bool) -> None:
    broken = Broken(StepStarted)
    engine(run, *((broken, run) if broken_first else (run, broken))).start(run.plan, "r", "me")
    assert [event for event in run.heard if isinstance(event, ObserverDropped)] == [
        ObserverDropped("Broken", "RuntimeError: no such colour")
    ]
    assert run.seen.count("StepFinished") == 4
    assert run.seen[-1] == "RunFinished"


def test_observers_that_cannot_bear_the_notice_either_are_all_dropped(run: Run) -> None:
    observers = [Broken(StepStarted), Broken(ObserverDropped), Broken(ObserverDropped)]
    assert engine(run, *observers, run).start(run.plan, "r", "me").ok
    assert run.seen.count("ObserverDropped") == 3


def test_ctrl_c_while_an_observer_shows_something_interrupts_the_run(run: Run) -> None:
    from upgrader.errors import Interrupted

    class Slow:
        def notify(self, event: Event) -> None:
            if isinstance(event, StepStarted):
                raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        engine(run, Slow()).start(run.plan, "r", "me")
    assert run.resume().ok
