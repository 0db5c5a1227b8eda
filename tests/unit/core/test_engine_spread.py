"""A step over many nodes goes batch after batch, and each node has a state of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import BAD, GOOD, Run, step
from upgrader.engine.events import BatchFinished
from upgrader.engine.spreading import batches
from upgrader.errors import Interrupted
from upgrader.journal.journal import read_journal
from upgrader.journal.step_fold import StepFold
from upgrader.plan.amounts import count_of
from upgrader.plan.step import Call, Plan, Spread, Stage, Step, plan_from_json

NODES = tuple(f"cmp{number:02}" for number in range(1, 11))


def spread(batch: int | str = 0, max_failures: int | str = 0, nodes: tuple[str, ...] = NODES, **more: Any) -> Step:
    call = Call("module", "do.many", nodes, timeout=60)
    return replace(step("many", spread=Spread(batch, max_failures), **more), call=call)


def failing_on(*names: str) -> Any:
    return lambda call, node: dict(BAD if node in names else GOOD)


def asked(run: Run) -> list[tuple[str, ...]]:
    return [nodes for function, nodes in run.salt.asked if function == "do.many"]


def test_nodes_are_asked_batch_after_batch(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(4),))
    assert run.start().ok
    assert asked(run) == [NODES[:4], NODES[4:8], NODES[8:]]
    told = [event for event in run.heard if isinstance(event, BatchFinished)]
    assert [(event.done, event.failed, event.total) for event in told] == [(4, 0, 10), (8, 0, 10), (10, 0, 10)]
    assert {event.step.id for event in told} == {"many"}
    assert [row["jid"] for row in run.rows("step-submitted")] == list(run.salt.jobs)


def test_answer_is_on_disk_before_the_rest_of_its_batch_has_come(tmp_path: Path) -> None:
    """A batch of hours is not forgotten when the command is killed and the job cache has been emptied meanwhile."""
    run = Run(tmp_path, (spread(nodes=NODES[:2]),))
    run.salt.answer = lambda call, node: None if node == "cmp02" else dict(GOOD)
    run.salt.running.add(("cmp02", "20170801101500000001"))
    seen: list[list[str]] = []
    paused = run.clock.pause

    def pause(seconds: float) -> None:
        paused(seconds)
        seen.append([row["node"] for row in run.rows("node-finished")])

    run.clock.pause = pause  # type: ignore[method-assign]
    run.start()
    assert seen[0] == seen[-1] == ["cmp01"]


def test_percent_of_a_batch_is_of_all_nodes_also_when_few_are_left(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread("30%", 9),))
    run.salt.answer = failing_on(*NODES[:4])
    assert not run.start().ok
    run.heard.clear()
    run.well()
    assert run.resume().ok
    assert asked(run) == [NODES[:3], NODES[3:4]]
    told = [(event.done, event.failed) for event in run.heard if isinstance(event, BatchFinished)]
    assert told == [(9, 0), (10, 0)]


def test_no_further_batch_is_asked_when_more_nodes_failed_than_may(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(3, 1),))
    run.salt.answer = failing_on("cmp02", "cmp05")
    outcome = run.start()
    assert asked(run) == [NODES[:3], NODES[3:6]]
    assert outcome.failed == {
        "many": "cmp02: it broke; cmp05: it broke; 2 of 10 nodes failed and 1 may: 4 were not asked"
    }


def test_failures_within_the_budget_do_not_stop_the_batches_but_the_step_is_not_done(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(3, "20%"), step("after", needs=("many",))))
    run.salt.answer = failing_on("cmp02", "cmp05")
    assert list(run.start().failed) == ["many"]
    assert sum(len(batch) for batch in asked(run)) == 10
    assert run.state("after") == "pending"


def test_first_failure_stops_a_step_without_a_budget(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(1),))
    run.salt.answer = failing_on("cmp01")
    assert not run.start().ok
    assert asked(run) == [("cmp01",)]


def test_intent_of_every_node_is_on_disk_before_the_job_is_published(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(5),))

    def look(call: Call, node: str) -> Mapping[str, Any]:
        intents = [row for row in read_journal(run.path) if row["event"] == "node-started"]
        assert {row["node"] for row in intents[-5:]} == set(call.nodes)
        assert len({row["jid"] for row in intents[-5:]}) == 1
        return dict(GOOD)

    run.salt.answer = look
    assert run.start().ok


def test_every_answer_has_a_line_with_its_job(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(5),))
    run.start()
    lines = run.rows("node-finished")
    assert [row["node"] for row in lines] == list(NODES)
    assert {(row["node"], row["jid"]) for row in lines} == {(r["node"], r["jid"]) for r in run.rows("node-started")}
    assert set(run.progress().steps["many"].replies) == set(NODES)


def test_resume_asks_only_nodes_that_are_not_settled(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(3, 1),))
    run.salt.answer = failing_on("cmp02", "cmp05")
    run.start()
    run.well()
    assert run.resume().ok
    assert asked(run) == [("cmp02", "cmp05", "cmp07"), ("cmp08", "cmp09", "cmp10")]
    assert all(reply["ok"] for reply in run.progress().steps["many"].replies.values())


def test_resume_takes_up_the_batch_that_was_under_way_by_its_own_job(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(4),))
    submit, jobs = run.salt.submit, []

    def die_in_the_second(call: Call, jid: str) -> None:
        submit(call, jid)
        jobs.append(jid)
        if len(jobs) == 2:
            raise KeyboardInterrupt

    run.salt.submit = die_in_the_second  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        run.start()
    assert run.progress().steps["many"].jobs == {jobs[1]: NODES[4:8]}
    assert run.resume().ok
    assert asked(run) == [NODES[:4], NODES[4:8], NODES[8:]]


def test_node_in_doubt_is_attached_to_its_own_job_while_others_are_settled(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(2, 10),))
    run.salt.answer = lambda call, node: None if node in ("cmp01", "cmp04") else dict(GOOD)
    works = {("cmp01", "20170801101500000001"), ("cmp04", "20170801101500000002")}
    run.salt.running |= works
    assert run.start().in_doubt
    assert run.progress().steps["many"].jobs == {jid: (node,) for node, jid in works}
    for node, jid in works:
        call, answers = run.salt.jobs[jid]
        run.salt.jobs[jid] = (call, {**answers, node: dict(GOOD)})
    run.well()
    assert run.resume().ok
    assert asked(run) == []


def test_lost_node_counts_as_failed_for_the_budget(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(2),))
    run.salt.answer = lambda call, node: None if node == "cmp02" else dict(GOOD)
    assert run.start().in_doubt
    assert asked(run) == [NODES[:2]]


def test_every_line_about_a_thousand_nodes_is_folded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the state of all nodes is put together a few times a batch, not for each line."""
    taken, made = Counter[str](), Counter[str]()
    take, progress = StepFold.take, StepFold.progress
    monkeypatch.setattr(StepFold, "take", lambda self, row: (taken.update([row["event"]]), take(self, row))[1])
    monkeypatch.setattr(StepFold, "progress", lambda self: (made.update(["made"]), progress(self))[1])
    run = Run(tmp_path, (spread(20, nodes=tuple(f"cmp{number:04}" for number in range(1000))),))
    assert run.start().ok
    assert taken == {
        "step-started": 1,
        "node-started": 1000,
        "step-submitted": 50,
        "node-finished": 1000,
        "step-finished": 1,
    }
    assert made["made"] <= 3 * 50


def test_node_that_still_works_uses_up_the_budget_before_any_other_is_asked(tmp_path: Path) -> None:
    run = Run(tmp_path, (spread(2),))
    run.salt.answer = lambda call, node: None if node == "cmp02" else dict(GOOD)
    run.salt.running.add(("cmp02", "20170801101500000001"))
    assert run.start().in_doubt
    run.salt.answer, run.salt.asked = (lambda call, node: dict(GOOD)), []
    outcome = run.resume()
    assert asked(run) == []
    assert "1 of 10 nodes failed and 0 may: 8 were not asked" in outcome.reason


def test_node_that_its_check_saw_done_is_settled_for_good(tmp_path: Path) -> None:
    check = Call("module", "check.many", NODES)
    run = Run(tmp_path, (spread(5, 9, retry_safe=False, check=check),))
    run.salt.answer = lambda call, node: (
        None if (call.function, node) == ("do.many", "cmp01") else dict(BAD if node == "cmp09" else GOOD)
    )
    assert run.start().in_doubt
    assert not run.resume().ok
    assert run.progress().steps["many"].replies["cmp01"]["ok"]
    run.well()
    assert run.resume().ok
    assert [nodes for _, nodes in run.salt.asked] == [("cmp09",)]


@pytest.mark.parametrize(("amount", "count"), [(0, 0), (3, 3), ("3", 3), ("10%", 100), ("1%", 10)])
def test_amounts_are_counts_or_percents(amount: int | str, count: int) -> None:
    assert count_of(amount, 1000) == count


@pytest.mark.parametrize(
    ("batch", "sizes"), [(0, [10]), (4, [4, 4, 2]), ("25%", [2, 2, 2, 2, 2]), ("1%", [1] * 10), (99, [10])]
)
def test_batches_hold_at_least_one_node_and_no_node_twice(batch: int | str, sizes: list[int]) -> None:
    made = list(batches(NODES, Spread(batch), len(NODES)))
    assert [len(one) for one in made] == sizes
    assert tuple(node for one in made for node in one) == NODES


def test_spread_survives_the_plans_json() -> None:
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", (spread("10%", 3), step("one"))),))
    assert plan_from_json(plan.to_json()) == plan


def test_thousand_failures_are_told_in_a_few_words(tmp_path: Path) -> None:
    nodes = tuple(f"cmp{number:04}" for number in range(1000))
    run = Run(tmp_path, (spread(nodes=nodes),))
    run.salt.answer = lambda call, node: dict(BAD)
    reason = run.start().reason
    assert "and 995 more nodes" in reason
    assert len(reason) < 400
