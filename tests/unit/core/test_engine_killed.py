"""Broken on purpose: killed between any two lines of the journal, run twice, half answered, answered with garbage."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.mortal import Worked, moments
from tests.support.runs import GOOD, Run, step
from upgrader.plan.references import least_of
from upgrader.plan.step import GATE, Call, Spread

STEPS = (
    replace(step("look", phase=GATE, anew=True), call=Call("module", "do.look", ("n1", "n2"))),
    step("one", needs=("look",)),
    replace(step("chosen", needs=("one",)), call=Call("module", "do.chosen", ("n1", "n2"), only=least_of("look", "load"))),
    replace(step("many", needs=("chosen",), spread=Spread(2, 1)), call=Call("module", "do.many", ("a", "b", "c", "d", "e"))),
    step("last", needs=("many",)),
)  # fmt: skip


def worked(folder: Path, patch: pytest.MonkeyPatch, retry_safe: bool = True) -> Worked:
    return Worked(folder, patch, tuple(replace(one, retry_safe=retry_safe) for one in STEPS))


WHOLE = Counter(
    {("do.one", "n1"): 1, ("do.one", "n2"): 1, ("do.chosen", "n2"): 1, ("do.last", "n1"): 1, ("do.last", "n2"): 1}
) + Counter({("do.many", node): 1 for node in "abcde"})


def work(mortal: Worked) -> Counter[tuple[str, str]]:
    return Counter({effect: count for effect, count in mortal.effects.items() if effect[0] != "do.look"})


def test_run_that_is_killed_at_any_moment_does_everything_and_nothing_twice(tmp_path: Path) -> None:
    """Each job was either never published, or is known to the job cache: so nothing has to be done a second time."""
    number = moments(tmp_path, STEPS)
    assert number > 50
    for moment in range(1, number + 1):
        folder = tmp_path / str(moment)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            mortal = worked(folder, patch)
            assert mortal.until_killed(moment) is None
            outcome = mortal.until_killed(-1)
        assert outcome is not None, moment
        assert outcome.ok, (moment, outcome)
        assert work(mortal) == WHOLE, moment


def test_run_that_is_killed_in_every_attempt_comes_to_its_end_all_the_same(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mortal, outcome, attempts = worked(tmp_path, patch), None, 0
        while outcome is None:
            attempts += 1
            outcome = mortal.until_killed(17)
            assert attempts < 100
    assert outcome.ok
    assert work(mortal) == WHOLE
    assert attempts > 5


def test_step_that_may_not_be_run_again_is_never_run_twice_wherever_the_run_is_killed(tmp_path: Path) -> None:
    for moment in range(1, moments(tmp_path, STEPS) + 1):
        folder = tmp_path / str(moment)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            mortal = worked(folder, patch, retry_safe=False)
            assert mortal.until_killed(moment) is None
            mortal.run.salt.jobs.clear()
            mortal.until_killed(-1)
        assert max(work(mortal).values(), default=0) <= 1, moment


def test_finished_run_that_is_resumed_does_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.start().ok
    run.salt.submitted = []
    assert run.resume().ok
    assert run.salt.submitted == []


@pytest.mark.parametrize("spread", [None, Spread(3, 9)], ids=["at once", "in batches"])
def test_half_of_the_nodes_answer_and_only_the_others_are_asked_again(tmp_path: Path, spread: Spread | None) -> None:
    nodes = tuple(f"cmp{number}" for number in range(6))
    run = Run(tmp_path, (replace(step("one", spread=spread), call=Call("module", "do.one", nodes)),))
    run.salt.answer = lambda call, node: dict(GOOD) if int(node[3:]) % 2 else None
    outcome = run.start()
    assert outcome.in_doubt
    assert all(f"{node} answers but no longer runs" in outcome.reason for node in nodes[::2])
    run.well()
    assert run.resume().ok
    assert {node for _, asked in run.salt.asked for node in asked} == set(nodes[::2])


GARBAGE: list[Any] = [
    None, "", "ERROR", 7, [], {}, {"return": None}, {"return": {"findings": "many"}}, {"return": {"findings": [None, 3]}},
    {"return": {"findings": [{"severity": "blocker"}]}}, {"return": [[[]]]}, {"return": {"a": 1}, "retcode": "x"},
    {"return": {"a_|-b": {"result": False}}, "retcode": 2}, {"return": {"a": {"changes": 3, "__run_num__": "x"}}},
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize("kind", ["module", "state"])
@pytest.mark.parametrize("spread", [None, Spread()], ids=["at once", "spread"])
def test_garbage_for_an_answer_ends_in_a_journal_that_can_be_resumed(
    tmp_path: Path, garbage: Any, kind: str, spread: Spread | None
) -> None:
    call = Call(kind, "do.one", ("n1", "n2"), {"mods": "x"})
    run = Run(tmp_path, (replace(step("one", spread=spread), call=call),))
    run.salt.answer = lambda call, node: {"return": garbage} if not isinstance(garbage, dict) else garbage
    outcome = run.start()
    assert outcome.ok or outcome.reason
    assert run.state("one") in ("done", "failed")
    run.salt.answer = lambda call, node: {"return": {"a": {"result": True}}, "retcode": 0}
    assert run.resume().ok
