"""A step that asks first whether it is needed: nodes that need nothing are not bothered, and the journal says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import BAD, GOOD, Run, step
from upgrader.plan.step import Call, Spread, Step, plan_from_json

NODES = ("n1", "n2", "n3")


def asking(spread: Spread | None) -> Step:
    call, unless = (Call("module", f"do.{name}", NODES, timeout=60) for name in ("work", "look"))
    return replace(step("work", spread=spread), call=call, unless=unless)


def needed_by(*names: str) -> Any:
    def answered(call: Call, node: str) -> Mapping[str, Any]:
        return dict(BAD if call.function == "do.look" and node in names else GOOD)

    return answered


def worked(run: Run) -> list[tuple[str, ...]]:
    return [nodes for function, nodes in run.salt.asked if function == "do.work"]


@pytest.fixture(params=[None, Spread()], ids=["one job", "spread"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    return Run(tmp_path, (asking(request.param), step("next", needs=("work",))))


def test_only_nodes_that_need_it_are_asked(run: Run) -> None:
    run.salt.answer = needed_by("n2")
    assert run.start().ok
    assert worked(run) == [("n2",)]
    replies = run.progress().steps["work"].replies
    assert {node: reply["value"]["comment"] for node, reply in replies.items()} == {
        "n1": "nothing to do: fine",
        "n2": "fine",
        "n3": "nothing to do: fine",
    }


def test_step_that_no_node_needs_is_done_and_stays_so(run: Run) -> None:
    run.salt.answer = needed_by()
    assert run.start().ok
    assert worked(run) == []
    assert run.state("work") == run.state("next") == "done"
    run.salt.answer = needed_by(*NODES)
    assert run.resume().ok
    assert worked(run) == []


def test_node_that_says_nothing_is_asked(run: Run) -> None:
    run.salt.answer = lambda call, node: None if (call.function, node) == ("do.look", "n3") else dict(GOOD)
    assert run.start().ok
    assert worked(run) == [("n3",)]


def test_failure_on_a_node_that_needed_it_fails_the_step_and_resume_asks_that_node_only(run: Run) -> None:
    run.salt.answer = lambda call, node: dict(BAD if node == "n2" else GOOD)
    assert not run.start().ok
    assert run.state("work") == "failed"
    run.well()
    run.salt.answer = needed_by("n2")
    assert run.resume().ok
    assert worked(run) == [("n2",)]


def test_plan_of_a_version_that_did_not_know_the_question_can_be_read(run: Run) -> None:
    text = run.plan.to_json().replace('"unless":null,', "")
    assert plan_from_json(text).to_json() == run.plan.to_json()
