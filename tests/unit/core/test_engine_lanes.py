"""Lanes: steps of one service keep their order, those of several services go on beside each other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.lanes import STEPS, Slow, SlowRun, laned
from tests.support.mortal import Worked, moments
from tests.support.runs import failing, step
from upgrader.engine.events import StepFinished, StepStarted
from upgrader.errors import Interrupted, UsageError
from upgrader.journal.journal import read_journal
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.step import Call, Plan, Stage, plan_from_json


def test_lanes_go_on_beside_each_other_and_each_keeps_its_order(tmp_path: Path) -> None:
    run = SlowRun(tmp_path, {"do.k1": 10.0, "do.k2": 10.0, "do.k3": 10.0, "do.g1": 4.0, "do.g2": 4.0, "do.h1": 2.0})
    before = run.clock()
    assert run.start().ok
    began = [event.step.id for event in run.heard if isinstance(event, StepStarted)]
    assert began == ["one", "k1", "g1", "h1", "g2", "k2", "k3", "last"]
    assert run.clock() - before < 34.0, "as long as the longest lane, not as all of them"
    assert 30.0 <= run.progress().seconds() < 34.0 < sum(state.seconds or 0 for state in run.progress().steps.values())


def test_no_more_than_three_go_on_at_a_time_and_the_longest_begins(tmp_path: Path) -> None:
    lanes = {"a": 1, "b": 1, "c": 1, "d": 3, "e": 2}
    steps = tuple(
        laned(f"{name}{number}", name, *([f"{name}{number - 1}"] if number > 1 else []))
        for name, count in lanes.items()
        for number in range(1, count + 1)
    )
    run = SlowRun(tmp_path, {f"do.{one.id}": 10.0 for one in steps}, steps)
    assert run.start().ok
    open_now, most, began = set[str](), 0, []
    for event in run.heard:
        if isinstance(event, StepStarted):
            open_now.add(event.step.id)
            began.append(event.step.id)
        elif isinstance(event, StepFinished):
            open_now.remove(event.step.id)
        most = max(most, len(open_now))
    assert most == 3 and began[:3] == ["d1", "e1", "a1"] and len(began) == len(steps)


def test_a_lane_that_fails_leaves_the_others_to_come_to_their_end(tmp_path: Path) -> None:
    run = SlowRun(tmp_path, {"do.g1": 5.0, "do.k1": 1.0})
    run.salt.answer = failing("do.k1")
    assert not run.start().ok
    assert [run.state(one) for one in ("k1", "k2", "g2", "h1", "last")] == [
        "failed",
        "pending",
        "done",
        "done",
        "pending",
    ]
    run.well()
    assert run.resume().ok
    assert run.salt.submitted == ["do.k1", "do.k2", "do.k3", "do.last"]


def test_ctrl_c_in_one_lane_ends_all_of_them_where_they_wait_and_a_resume_goes_on(tmp_path: Path) -> None:
    run = SlowRun(tmp_path, {"do.k1": 50.0, "do.g1": 1.0, "do.h1": 50.0})
    run.salt.die_after = "do.g2"
    with pytest.raises(Interrupted):
        run.start()
    assert [run.state(one) for one in ("k1", "g1", "h1")] == ["in doubt", "done", "in doubt"]
    assert run.events()[-1] == "run-interrupted"
    submitted = Counter(run.salt.submitted)
    assert run.resume().ok
    assert Counter(run.salt.submitted) - submitted == Counter(["do.k2", "do.k3", "do.last"]), "nothing is doubled"


def test_run_with_lanes_that_is_killed_at_any_moment_does_everything_once(tmp_path: Path) -> None:
    number = moments(tmp_path, STEPS)
    for moment in range(1, number + 1):
        folder = tmp_path / str(moment)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            mortal = Worked(folder, patch, STEPS)
            assert mortal.until_killed(moment) is None
            outcome = mortal.until_killed(-1)
        assert outcome is not None and outcome.ok, moment
        assert set(mortal.effects.values()) == {1}, (moment, mortal.effects)
        assert {effect for effect, _ in mortal.effects} >= {f"do.{one.id}" for one in STEPS if one.lane}


def test_what_breaks_in_one_lane_is_raised_and_leaves_no_lane_behind(tmp_path: Path) -> None:
    class Breaks(Slow):
        def submit(self, call: Call, jid: str) -> None:
            if call.function == "do.g2":
                raise OSError(28, "No space left on device")
            super().submit(call, jid)

    run = SlowRun(tmp_path, {"do.k1": 50.0})
    run.salt = Breaks(run.clock, {"do.k1": 50.0})
    with pytest.raises(OSError, match="No space left"):
        run.start()
    lines = len(read_journal(run.path))
    run.clock.pause(100.0)
    assert len(read_journal(run.path)) == lines


def test_a_step_may_not_need_what_goes_on_beside_it() -> None:
    steps = (laned("k1", "keystone"), laned("g1", "glance", "k1"))
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", steps),))
    with pytest.raises(UsageError, match="it needs k1 of a lane beside its own: put both into one lane"):
        check_plan(plan, Ground(("module",), None, ("n1", "n2")))  # type: ignore[arg-type]  the order is judged first


def test_lanes_stand_in_the_plans_json_and_nowhere_where_there_are_none() -> None:
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", STEPS),))
    assert plan_from_json(plan.to_json()) == plan
    alone = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", (step("one"),)),))
    assert '"lane"' not in alone.to_json()
