"""What lines make of a step: each kind of line, in the orders in which a run and its resumes write them."""

from __future__ import annotations

from typing import Any

import pytest

from upgrader.journal.step_fold import StepFold, StepProgress

OK: dict[str, Any] = {"ok": True, "value": 1}
BAD: dict[str, Any] = {"ok": False, "error": "broke"}
LOST: dict[str, Any] = {"ok": False, "error": "silent", "lost": True}
RUNS: dict[str, Any] = {"ok": False, "error": "works", "running": True}


def started(*nodes: str, jid: str | None = "1", **more: Any) -> dict[str, Any]:
    return {"event": "step-started", "step": "s", "jid": jid, "nodes": list(nodes), **more}


def finished(ok: bool, jid: str = "1", reason: str = "", seconds: float = 2.5, **replies: Any) -> dict[str, Any]:
    row = {"event": "step-finished", "step": "s", "jid": jid, "ok": ok, "seconds": seconds, "reason": reason}
    return {**row, "replies": replies}


def node_started(node: str, jid: str) -> dict[str, Any]:
    return {"event": "node-started", "step": "s", "node": node, "jid": jid}


def node_finished(node: str, jid: str, reply: dict[str, Any]) -> dict[str, Any]:
    return {"event": "node-finished", "step": "s", "node": node, "jid": jid, "reply": reply}


def folded(*rows: dict[str, Any]) -> StepProgress:
    fold = StepFold()
    for row in rows:
        fold.take(row)
    return fold.progress()


SUBMITTED = {"event": "step-submitted", "step": "s", "jid": "1"}


def test_step_of_which_no_line_tells_is_pending() -> None:
    assert folded() == StepProgress("pending", None, 0, None, {}, "", (), {})


def test_start_without_an_end_is_in_doubt_on_every_node_that_got_the_job() -> None:
    wanted = StepProgress("in doubt", "1", 1, None, {}, "", ("a", "b"), {"1": ("a", "b")})
    assert folded(started("a", "b")) == wanted
    assert folded(started("a", "b"), SUBMITTED) == wanted


def test_end_gives_state_time_and_answers() -> None:
    assert folded(started("a"), SUBMITTED, finished(True, a=OK)) == StepProgress(
        "done", "1", 1, 2.5, {"a": OK}, "", ("a",), {}
    )
    ended = folded(started("a"), finished(False, reason="a: broke", a=BAD))
    assert (ended.state, ended.reason, ended.jobs) == ("failed", "a: broke", {})


@pytest.mark.parametrize(("reply", "state"), [(LOST, "in doubt"), (RUNS, "still running")])
def test_node_whose_part_is_not_known_stays_with_its_job(reply: dict[str, Any], state: str) -> None:
    ended = folded(started("a", "b", "c"), finished(False, a=OK, b=reply, c=BAD))
    assert (ended.state, ended.jobs) == (state, {"1": ("b",)})


def test_running_outweighs_lost() -> None:
    assert folded(started("a", "b"), finished(False, a=LOST, b=RUNS)).state == "still running"


def test_later_attempt_keeps_settled_nodes_and_drops_the_others() -> None:
    first = (started("a", "b", "c"), finished(False, a=OK, b=BAD, c=LOST))
    again = folded(*first, started("b", "c", jid="2", settled=["a"]))
    assert again == StepProgress("in doubt", "2", 2, None, {"a": OK}, "", ("b", "c"), {"2": ("b", "c")})
    assert folded(*first, started("b", "c", jid="2", settled=["a"]), finished(True, "2", b=OK, c=OK)).state == "done"


def test_later_attempt_on_all_nodes_forgets_what_was_before() -> None:
    again = folded(started("a", "b"), finished(False, a=OK, b=BAD), started("a", "b", jid="2"))
    assert again.replies == {}


def test_node_that_nobody_knows_of_keeps_its_job_beside_a_later_one() -> None:
    again = folded(
        started("a", "b", "c"), finished(False, a=RUNS, b=BAD, c=LOST), started("b", jid="2", doubtful=["a", "c"])
    )
    assert again.jobs == {"1": ("a", "c"), "2": ("b",)}
    assert again.replies == {"a": RUNS, "c": LOST}


def test_node_that_is_asked_again_leaves_its_earlier_job_behind() -> None:
    again = folded(started("a"), finished(False, a=LOST), started("a", jid="2", doubtful=["a"], settled=["a"]))
    assert (again.jobs, again.replies) == ({"2": ("a",)}, {})


def test_answers_to_the_only_job_settle_a_step_that_nobody_ended() -> None:
    assert folded(started("a", "b"), node_finished("a", "1", OK)).state == "in doubt"
    both = folded(started("a", "b"), node_finished("a", "1", OK), node_finished("b", "1", OK))
    assert (both.state, both.jobs, both.attempts, both.nodes) == ("done", {}, 1, ("a", "b"))
    bad = folded(started("a", "b"), node_finished("a", "1", OK), node_finished("b", "1", BAD))
    assert (bad.state, bad.reason) == ("failed", "b: broke")


def test_answers_of_one_batch_do_not_end_a_step_of_many() -> None:
    lines = (started("a", "b", jid=None), node_started("a", "1"), node_finished("a", "1", OK))
    assert folded(*lines).state == "in doubt"
    assert folded(*lines).jobs == {}
    assert folded(*lines, node_started("b", "2")).jobs == {"2": ("b",)}
    assert (
        folded(*lines, node_started("b", "2"), node_finished("b", "2", RUNS), finished(False, "2")).state
        == "still running"
    )
    assert (
        folded(*lines, node_started("b", "2"), node_finished("b", "2", LOST), finished(False, "2")).state == "in doubt"
    )


def test_node_that_is_started_again_has_no_answer_yet() -> None:
    again = folded(started("a", jid=None), node_started("a", "1"), node_finished("a", "1", BAD), node_started("a", "2"))
    assert (again.replies, again.jobs) == ({}, {"2": ("a",)})


def test_step_that_was_held_up_is_one_of_which_nobody_failed() -> None:
    held = folded(started("a"), {**finished(False, a=OK), "left_out": ["b"]})
    assert held.state == "held up"
    assert folded(started("a"), {**finished(False, a=BAD), "left_out": ["b"]}).state == "failed"
    assert folded(started("a"), {**finished(False, a=LOST), "left_out": ["b"]}).state == "in doubt"


def test_stamp_settles_a_step_whatever_was_before_and_says_why() -> None:
    stamp = {"event": "step-stamped", "step": "s", "reason": "by hand"}
    stamped = folded(started("a"), finished(False, reason="a: broke", a=LOST), stamp)
    assert stamped == StepProgress("stamped", "1", 1, None, {}, "by hand", (), {})


def test_step_that_was_undone_is_told_so_and_begins_anew() -> None:
    undone = {"event": "step-undone", "step": "s"}
    assert folded(started("a"), finished(True, a=OK), undone) == StepProgress("undone", "1", 1, None, {}, "", (), {})
    assert folded(started("a"), finished(True, a=OK), undone, started("a", jid="2")).attempts == 2


def test_line_of_a_kind_that_this_version_does_not_know_changes_nothing() -> None:
    assert folded(started("a"), {"event": "step-blessed", "step": "s"}) == folded(started("a"))


def test_journal_of_an_earlier_version_is_read_as_it_was_meant() -> None:
    """No word of settled nodes, of nodes in doubt or of nodes that were left out; replies know nothing of running."""
    old = {
        "event": "step-finished",
        "step": "s",
        "jid": "1",
        "ok": False,
        "seconds": 1.0,
        "replies": {"a": LOST, "b": OK},
    }
    assert folded(started("a", "b"), SUBMITTED, old).state == "in doubt"
    assert folded(started("a", "b"), old, started("a", "b", jid="2")).jobs == {"2": ("a", "b")}


def test_what_was_seen_does_not_change_with_later_lines() -> None:
    fold = StepFold()
    fold.take(started("a"))
    before = fold.progress()
    fold.take(finished(True, a=OK))
    assert (before.state, before.replies, before.jobs) == ("in doubt", {}, {"1": ("a",)})


def test_nodes_that_did_their_part_are_those_that_answered_well() -> None:
    ended = folded(started("a", "b", "c"), finished(False, a=OK, b=BAD, c=LOST))
    assert ended.done_nodes() == {"a"}
