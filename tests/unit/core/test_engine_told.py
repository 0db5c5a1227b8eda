"""What a run says while it goes on and of what it cannot know: to who watches, in a step's reason, in how it ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import BAD, GOOD, Run, step
from upgrader.engine.events import BatchFinished, Progress, StepStarted, StepWaiting
from upgrader.errors import Interrupted
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import GATE, VERIFY, Call, Spread

ONE = step("one")
NODES = ("n1", "n2", "n3")


def silent_on(*names: str) -> Callable[[Call, str], Mapping[str, Any] | None]:
    return lambda call, node: None if (call.function == "do.one" and node in names) else dict(GOOD)


def test_who_watches_hears_who_is_missing_for_how_long_and_how_far_the_step_has_come(tmp_path: Path) -> None:
    progress = Call("module", "how.far", ("cfg01",), {"run": RUN_ID})
    run = Run(tmp_path, (replace(ONE, progress=progress), step("other")))
    told = {"return": {"what": "rows", "done": 10, "total": 100}, "retcode": 0}
    run.salt.answer = lambda call, node: dict(told) if call.function == "how.far" else silent_on("n2")(call, node)
    run.salt.running.add(("n2", "20170801101500000001"))
    assert run.start().in_doubt
    waiting = [event for event in run.heard if isinstance(event, StepWaiting)]
    assert {(event.step.id, event.missing) for event in waiting} == {("one", ("n2",))}
    assert waiting[0].seconds == 0 and waiting[0].progress is None
    assert waiting[-1].seconds == pytest.approx(60, abs=1)
    assert waiting[-1].progress == Progress("rows", 10, 100)
    asked = [call for call, _ in run.salt.jobs.values() if call.function == "how.far"]
    assert 10 < len(asked) < 15, "it is asked now and then"
    assert {call.args["run"] for call in asked} == {"r"}, "a question may refer to the run"


def test_step_that_is_not_asked_how_far_it_is_waits_without_a_number(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.answer = silent_on("n2")
    run.start()
    assert {event.progress for event in run.heard if isinstance(event, StepWaiting)} == {None}


def test_who_watches_hears_of_each_step_and_its_nodes_once_though_they_are_asked_whether_they_need_it(
    tmp_path: Path,
) -> None:
    call, unless = (Call("module", f"do.{name}", NODES, timeout=60) for name in ("work", "look"))
    run = Run(tmp_path, (replace(step("work"), call=call, unless=unless), step("next")))
    run.salt.answer = lambda call, node: dict(BAD if (call.function, node) == ("do.look", "n2") else GOOD)
    assert run.start().ok
    shown = [event for event in run.heard if isinstance(event, StepStarted)]
    assert [(one.step.id, one.step.call.nodes, one.number, one.total) for one in shown] == [
        ("work", NODES, 1, 2),
        ("next", ("n1", "n2"), 2, 2),
    ]


def test_nodes_that_need_nothing_count_as_done_in_a_batch(tmp_path: Path) -> None:
    call, unless = (Call("module", f"do.{name}", NODES, timeout=60) for name in ("work", "look"))
    run = Run(tmp_path, (replace(step("work", spread=Spread()), call=call, unless=unless),))
    run.salt.answer = lambda call, node: dict(BAD if (call.function, node) == ("do.look", "n2") else GOOD)
    assert run.start().ok
    [batch] = [event for event in run.heard if isinstance(event, BatchFinished)]
    assert (batch.done, batch.failed, batch.total) == (3, 0, 3)


@pytest.mark.parametrize(
    ("said", "told"),
    [({"comment": "all there"}, "nothing to do: all there"), ({"rows": 7}, "nothing to do"), (True, "nothing to do")],
)
def test_node_that_needs_nothing_is_noted_with_its_own_words_where_it_has_some(
    tmp_path: Path, said: Any, told: str
) -> None:
    run = Run(tmp_path, (replace(ONE, unless=Call("module", "do.look", ("n1", "n2"))),))
    run.salt.answer = lambda call, node: {"return": said, "retcode": 0}
    assert run.start().ok
    assert run.progress().steps["one"].replies["n1"]["value"] == {"comment": told}


def test_step_that_may_not_be_run_again_is_left_with_where_to_look_and_what_to_type(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("one", retry_safe=False),))
    run.salt.answer = silent_on("n2")
    run.start()
    assert run.resume().failed == {
        "one": "n2 was cut off and nobody knows whether it was done (one): look there, then 'upgrader stamp one' if it was, "
        "or --restart the stage"
    }


def test_what_a_check_has_seen_is_noted_for_each_node(tmp_path: Path) -> None:
    check = Call("module", "check.one", ("n1", "n2"))
    run = Run(tmp_path, (replace(step("one", retry_safe=False), check=check),))
    run.salt.answer = lambda call, node: None if call.function == "do.one" else {"return": True, "retcode": 0}
    run.start()
    assert run.resume().ok
    replies = run.progress().steps["one"].replies
    assert {node: reply["node"] for node, reply in replies.items()} == {"n1": "n1", "n2": "n2"}


def test_check_is_not_asked_while_no_node_has_said_that_it_is_idle(tmp_path: Path) -> None:
    check = Call("module", "check.one", ("n1", "n2"))
    run = Run(tmp_path, (replace(step("one", retry_safe=False), check=check),))
    run.salt.answer = silent_on("n1", "n2")
    run.start()
    run.salt.running |= {("n1", "dead"), ("n2", "dead")}
    assert run.resume().in_doubt
    assert run.salt.submitted == ["do.one"]


def test_node_is_asked_about_its_own_job_whenever_it_is_asked(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.answer = silent_on("n1")
    run.start()
    [job], asked, still_running = run.salt.jobs, set[str](), run.salt.still_running

    def noted(jid: str, nodes: Any) -> dict[str, bool]:
        asked.add(jid)
        return still_running(jid, nodes)

    run.salt.still_running = noted  # type: ignore[method-assign]
    run.well()
    run.salt.jobs.clear()
    assert run.resume().ok
    assert asked == {job}


def test_silent_node_is_told_with_what_the_transport_knows_of_it(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.silent_because = lambda node: f"is {node} plugged in?"  # type: ignore[method-assign]
    run.salt.answer = silent_on("n1")
    run.start()
    run.salt.running.add(("n1", "dead"))
    assert run.resume().reason.endswith("is n1 plugged in?")


def test_node_that_fell_silent_is_told_with_what_the_transport_knows_of_it(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.silent_because = lambda node: f"is {node} plugged in?"  # type: ignore[method-assign]
    run.salt.answer = silent_on("n1")
    run.salt.running.add(("n1", "dead"))
    assert re.fullmatch(r"n1 does not answer \(silent for 2\d s\): is n1 plugged in\?", run.start().failed["one"])


def test_node_at_work_is_told_with_all_the_time_that_was_waited_for_it(tmp_path: Path) -> None:
    """Idle for as long as it was waited for, then at work: the first attempt's seconds count, and those of this one."""
    run = Run(tmp_path, (ONE,))
    run.salt.answer = silent_on("n1")
    run.start()
    first = run.clock.seconds
    run.salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, bool(run.rows("node-finished")))  # type: ignore[method-assign]
    found = re.search(r"n1 still runs do\.one after (\d+) s", run.resume().reason)
    assert found and first > 3
    assert int(found.group(1)) == pytest.approx(run.clock.seconds, abs=1)


def test_node_at_work_for_which_nobody_has_waited_yet_is_told_so(tmp_path: Path) -> None:
    """Its job was not known when the run went on, and it did not run it: it was just coming back."""
    run = Run(tmp_path, (ONE,))
    run.salt.die_before = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    asked: list[str] = []

    def later(jid: str, nodes: Any) -> dict[str, bool]:
        asked.append(jid)
        return dict.fromkeys(nodes, len(asked) > 1)

    run.salt.still_running = later  # type: ignore[method-assign]
    assert "n1 still runs do.one after 0 s (job " in run.resume().reason
    assert run.salt.submitted == []


def test_time_that_nobody_waited_does_not_count(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    run.clock.pause(1000)
    assert run.resume().ok
    assert run.progress().steps["one"].seconds == 0


@pytest.mark.parametrize(("phase", "refused"), [(GATE, True), (VERIFY, False)])
def test_run_is_refused_by_a_gate_and_not_by_a_verification_that_fails(
    tmp_path: Path, phase: str, refused: bool
) -> None:
    run = Run(tmp_path, (step("one", phase=phase),))
    run.salt.answer = lambda call, node: dict(BAD)
    outcome = run.start()
    assert (outcome.run_id, outcome.ok, outcome.refused) == ("r", False, refused)


def test_run_of_gates_that_are_well_is_not_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("one", phase=GATE),))
    outcome = run.start()
    assert (outcome.run_id, outcome.ok, outcome.refused) == ("r", True, False)
