"""A failed step is in the way of what needs it, and of nothing else: one run tells of every fault that it can reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import BAD, GOOD, Run, step
from upgrader.engine.events import RunFinished, StepPassed
from upgrader.errors import Interrupted
from upgrader.plan.step import GATE, Call, Spread

TWO_SERVICES = (
    step("gate", phase=GATE),
    step("base"),
    step("a1", needs=("base",)),
    step("a2", needs=("a1",)),
    step("b1", needs=("base",)),
    step("b2", needs=("b1",)),
    step("start", needs=("a2", "b2")),
)


def broken(*names: str, node: str = "n2", silent: bool = False) -> Callable[[Call, str], Mapping[str, Any] | None]:
    wrong = {f"do.{name}" for name in names}

    def answer(call: Call, asked: str) -> Mapping[str, Any] | None:
        if call.function in wrong and asked == node:
            return None if silent else dict(BAD)
        return dict(GOOD)

    return answer


def test_what_does_not_need_the_failed_step_goes_on(tmp_path: Path) -> None:
    run = Run(tmp_path, TWO_SERVICES)
    run.salt.answer = broken("a1")
    assert not run.start().ok
    assert run.salt.submitted == ["do.gate", "do.base", "do.a1", "do.b1", "do.b2"]


def test_every_fault_is_told_with_what_it_kept_from_being_reached(tmp_path: Path) -> None:
    run = Run(tmp_path, TWO_SERVICES)
    run.salt.answer = broken("a1", "b2")
    outcome = run.start()
    assert outcome.failed == {"a1": "n2: it broke", "b2": "n2: it broke"}
    assert outcome.not_reached == {"a2": ("a1",), "start": ("a1", "b2")}
    finished = run.rows("run-finished")[0]
    assert finished["failed"] == ["a1", "b2"]
    assert finished["not_reached"] == {"a2": ["a1"], "start": ["a1", "b2"]}
    last = run.heard[-1]
    assert isinstance(last, RunFinished)
    assert (last.failed, last.not_reached) == (outcome.failed, outcome.not_reached)


def test_observers_hear_of_steps_that_are_not_reached(tmp_path: Path) -> None:
    run = Run(tmp_path, TWO_SERVICES)
    run.salt.answer = broken("a1")
    run.start()
    passed = {event.step.id: event.why for event in run.heard if isinstance(event, StepPassed)}
    assert passed == {"a2": "not reached because of a1", "start": "not reached because of a2"}


def test_resume_reaches_what_was_in_the_way_and_nothing_that_is_done(tmp_path: Path) -> None:
    run = Run(tmp_path, TWO_SERVICES)
    run.salt.answer = broken("a1")
    run.start()
    run.well()
    assert run.resume().ok
    assert run.salt.submitted == ["do.a1", "do.a2", "do.start"]


GATES = (
    replace(step("alive", phase=GATE), call=Call("module", "do.alive", ("n1", "n2", "n3"))),
    replace(step("current", phase=GATE, needs=("alive",), spread=Spread()), call=Call("module", "do.current", ("n1", "n2", "n3"))),
    replace(step("one", phase=GATE, needs=("current",)), call=Call("module", "do.one", ("n1",))),
    replace(step("both", phase=GATE, needs=("current",)), call=Call("module", "do.both", ("n1", "n2"))),
    replace(step("free", phase=GATE), call=Call("module", "do.free", ("n3",))),
    step("work"),
    step("tidy", always=True),
)  # fmt: skip


def test_all_gates_are_asked_though_one_refuses_and_no_work_is_begun(tmp_path: Path) -> None:
    run = Run(tmp_path, GATES)
    run.salt.answer = lambda call, node: dict(BAD if call.function in ("do.one", "do.free") else GOOD)
    outcome = run.start()
    assert outcome.refused
    assert list(outcome.failed) == ["one", "free"]
    assert run.salt.submitted == ["do.alive", "do.current", "do.one", "do.both", "do.free"]
    assert outcome.not_reached == {"work": ("one", "free"), "tidy": ("one", "free")}


def test_silent_node_is_not_asked_again_and_the_others_are(tmp_path: Path) -> None:
    run = Run(tmp_path, GATES)
    run.salt.running.add(("n2", "dead"))
    run.salt.answer = lambda call, node: None if node == "n2" else dict(GOOD)
    outcome = run.start()
    assert outcome.refused
    assert list(outcome.failed) == ["alive"]
    assert run.salt.asked[1:] == [("do.current", ("n1", "n3")), ("do.one", ("n1",)), ("do.free", ("n3",))]
    assert run.state("current") == "held up"
    assert run.progress().steps["current"].reason == "n2 was not asked, as step alive failed there"
    assert outcome.not_reached["both"] == ("alive",)
    assert "one" not in outcome.not_reached


def test_gate_needs_only_what_another_gate_said_of_its_own_nodes(tmp_path: Path) -> None:
    run = Run(tmp_path, GATES)
    run.salt.answer = broken("current")
    outcome = run.start()
    assert list(outcome.failed) == ["current"]
    assert run.salt.submitted == ["do.alive", "do.current", "do.one", "do.free"]


def test_gate_that_failed_elsewhere_only_is_not_in_the_way_wherever_it_stands_in_the_plan(tmp_path: Path) -> None:
    first = replace(step("first", phase=GATE), call=Call("module", "do.first", ("n9",)))
    proof = step("proof", phase=GATE)
    fits = replace(step("fits", phase=GATE, needs=("proof",)), call=Call("module", "do.fits", ("n1",)))
    run = Run(tmp_path, (first, proof, fits))
    run.salt.answer = broken("proof")
    assert run.start().not_reached == {}
    assert run.salt.submitted == ["do.first", "do.proof", "do.fits"]


def test_gate_on_other_nodes_needs_the_whole_of_the_one_before(tmp_path: Path) -> None:
    proof = replace(step("proof", phase=GATE), call=Call("module", "do.proof", ("n1",)))
    fits = replace(step("fits", phase=GATE, needs=("proof",)), call=Call("module", "do.fits", ("n2",)))
    run = Run(tmp_path, (proof, fits))
    run.salt.answer = broken("proof", node="n1")
    assert run.start().not_reached == {"fits": ("proof",)}


def test_resume_asks_the_node_that_was_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path, GATES)
    run.salt.running.add(("n2", "dead"))
    run.salt.answer = lambda call, node: None if node == "n2" else dict(GOOD)
    run.start()
    run.salt.running.clear()
    run.well()
    assert run.resume().ok
    assert run.salt.asked == [
        ("do.alive", ("n2",)), ("do.current", ("n2",)), ("do.both", ("n1", "n2")), ("do.work", ("n1", "n2")),
        ("do.tidy", ("n1", "n2")),
    ]  # fmt: skip


@pytest.fixture
def half_way(tmp_path: Path) -> Run:
    """Work has begun, and the gate that is asked anew refuses on resume."""
    steps = (step("gate", phase=GATE, anew=True), step("one"), step("two"), step("tidy", always=True, needs=("one",)))
    run = Run(tmp_path, steps)
    run.salt.answer = broken("two")
    run.salt.die_before = "do.tidy"
    with pytest.raises(Interrupted):
        run.start()
    run.salt.answer, run.salt.submitted = broken("gate"), []
    return run


def test_gate_that_refuses_after_work_was_done_is_no_refusal(half_way: Run) -> None:
    outcome = half_way.resume()
    assert not outcome.ok
    assert not outcome.refused
    assert "gate" in outcome.failed


def test_always_steps_run_after_a_gate_refused_once_work_has_begun(half_way: Run) -> None:
    half_way.resume()
    assert half_way.salt.submitted == ["do.gate", "do.tidy"]
