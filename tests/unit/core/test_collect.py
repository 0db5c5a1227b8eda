"""Waiting for nodes: who answered, who works on, who is idle, who is silent, and for how long each is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.salt_in_memory import SaltInMemory
from upgrader.plan.step import Call
from upgrader.transport.base import Patience
from upgrader.transport.collect import collect, who_runs
from upgrader.transport.reply import Reply

CALL = Call("module", "do.it", ("n1", "n2"), timeout=100)
GOOD = {"return": 1, "retcode": 0}


def gather(salt: SaltInMemory) -> tuple[dict[str, str], float]:
    clock, jid = Clock(), salt.new_job_id()
    salt.submit(CALL, jid)
    replies = collect(salt, CALL, jid, Patience(), clock=clock, pause=clock.pause)
    return {node: reply.error for node, reply in replies.items()}, clock.seconds


def test_every_node_of_the_call_has_a_reply() -> None:
    salt = SaltInMemory(lambda call, node: {"return": 1, "retcode": 0} if node == "n1" else None)
    errors, seconds = gather(salt)
    assert errors["n1"] == ""
    assert "no longer runs" in errors["n2"]
    assert seconds < 30


def test_node_that_works_on_is_waited_for_until_the_timeout() -> None:
    salt = SaltInMemory(lambda call, node: None)
    salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, True)  # type: ignore[method-assign]
    errors, seconds = gather(salt)
    assert "n1 still runs do.it after 100 s" in errors["n1"]
    assert seconds == pytest.approx(100, abs=10)


def test_end_of_the_time_is_seen_when_it_comes_however_slow_the_master_reads() -> None:
    clock, salt = Clock(), SaltInMemory(lambda call, node: None)
    salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, True)  # type: ignore[method-assign]

    def slow(call: Call, jid: str) -> dict[str, Reply]:
        clock.pause(40.0)
        return {}

    salt.answers = slow  # type: ignore[method-assign]
    jid = salt.new_job_id()
    salt.submit(CALL, jid)
    collect(salt, CALL, jid, Patience(), clock=clock, pause=clock.pause)
    assert clock.seconds <= 100 + 3 * 40, "two looks more at most, and not four times as long again"


def test_answer_of_a_node_that_was_given_up_still_counts_while_others_are_waited_for() -> None:
    clock, salt = Clock(), SaltInMemory(lambda call, node: None)
    salt.still_running = lambda jid, nodes: {n: True for n in nodes if n == "n1"}  # type: ignore[method-assign]
    jid = salt.new_job_id()
    salt.submit(CALL, jid)

    def pause(seconds: float) -> None:
        clock.pause(seconds)
        if clock.seconds > 50:
            salt.jobs[jid] = (CALL, {node: {"return": 1, "retcode": 0} for node in CALL.nodes})

    replies = collect(salt, CALL, jid, Patience(), clock=clock, pause=pause)
    assert all(reply.ok for reply in replies.values())


class Wait:
    """One job on n1 and n2 whose answers and doings are a function of the time."""

    def __init__(self, said: Any = lambda seconds, nodes: {}, answered: Any = lambda seconds: {}) -> None:
        self.clock, self.salt, self.arrived = (
            Clock(),
            SaltInMemory(lambda call, node: None),
            list[Mapping[str, Reply]](),
        )
        self.jid, self.probes = self.salt.new_job_id(), list[float]()
        self.salt.submit(CALL, self.jid)
        self.said, self.answered = said, answered
        self.salt.still_running = self._still_running  # type: ignore[method-assign]

    def _still_running(self, jid: str, nodes: Any) -> dict[str, bool]:
        assert jid == self.jid
        self.probes.append(self.clock.seconds)
        return {node: runs for node, runs in self.said(self.clock.seconds, nodes).items() if node in nodes}

    def pause(self, seconds: float) -> None:
        self.clock.pause(seconds)
        self.salt.jobs[self.jid] = (CALL, self.answered(self.clock.seconds))

    def replies(self, waited: float = 0.0) -> dict[str, Reply]:
        words = (self.salt, CALL, self.jid, Patience(), lambda seconds, missing: None, self.clock, self.pause)
        return collect(*words, self.arrived.append, waited)


def both(running: bool) -> Any:
    return lambda seconds, nodes: dict.fromkeys(nodes, running)


def test_time_that_is_up_makes_a_working_node_running_and_a_silent_one_lost() -> None:
    replies = Wait(said=lambda seconds, nodes: {"n1": True, **({"n2": True} if seconds < 95 else {})}).replies()
    assert (replies["n1"].running, replies["n1"].lost) == (True, False)
    assert (replies["n2"].running, replies["n2"].lost) == (False, True)
    assert replies["n2"].error == (
        "n2 did not finish do.it within 100 s and does not say whether it still runs job 20170801101500000001"
    )
    assert [reply.node for reply in replies.values()] == ["n1", "n2"]


def test_node_that_ends_without_an_answer_as_time_is_up_is_lost() -> None:
    replies = Wait(said=lambda seconds, nodes: dict.fromkeys(nodes, seconds < 100)).replies()
    wanted = "n1 answers but no longer runs do.it and never returned its result (killed or restarted?)"
    assert (replies["n1"].node, replies["n1"].lost, replies["n1"].error) == ("n1", True, wanted)


def test_node_that_is_idle_all_along_is_lost_by_its_name() -> None:
    wanted = "n2 answers but no longer runs do.it and never returned its result (killed or restarted?)"
    reply = Wait(said=both(False)).replies()["n2"]
    assert (reply.node, reply.lost, reply.error) == ("n2", True, wanted)


def test_answer_that_comes_with_the_last_question_counts() -> None:
    wait = Wait(said=both(True))

    def said(seconds: float, nodes: Any) -> dict[str, bool]:
        if seconds > 100:
            wait.salt.jobs[wait.jid] = (CALL, {"n1": GOOD})
        return dict.fromkeys(nodes, True)

    wait.said = said
    replies = wait.replies()
    assert replies["n1"].ok
    assert replies["n2"].running
    assert [set(news) for news in wait.arrived] == [{"n1"}]


def test_earlier_waits_are_told_of_with_the_last_one() -> None:
    assert "still runs do.it after 350 s" in Wait(said=both(True)).replies(waited=250.0)["n1"].error


def test_each_answer_is_told_once_as_it_arrives() -> None:
    wait = Wait(both(True), lambda seconds: {n: GOOD for n, at in (("n1", 3), ("n2", 7)) if seconds > at})
    wait.replies()
    assert [set(news) for news in wait.arrived] == [{"n1"}, {"n2"}]


def test_node_that_is_busy_for_a_moment_is_not_given_up() -> None:
    """Silent for less than the silence that is allowed, then it says that it works, then it answers."""
    wait = Wait(
        lambda seconds, nodes: {} if seconds < 18 else dict.fromkeys(nodes, True),
        lambda seconds: {"n1": GOOD, "n2": GOOD} if seconds > 60 else {},
    )
    assert all(reply.ok for reply in wait.replies().values())


def test_silent_node_is_given_up_after_the_silence_that_is_allowed() -> None:
    wait = Wait()
    replies = wait.replies()
    assert "n1 does not answer (silent for " in replies["n1"].error
    assert 20 < wait.clock.seconds < 27


def test_silence_is_counted_from_when_the_node_last_said_anything() -> None:
    wait = Wait(lambda seconds, nodes: dict.fromkeys(nodes, True) if seconds < 40 else {})
    wait.replies()
    assert 55 < wait.clock.seconds < 67


def test_idle_node_gets_a_moment_for_its_answer_to_arrive() -> None:
    wait = Wait(both(False), lambda seconds: {"n1": GOOD, "n2": GOOD} if seconds > 7 else {})
    assert all(reply.ok for reply in wait.replies().values())


def test_node_that_says_it_works_after_all_is_waited_for() -> None:
    wait = Wait(
        lambda seconds, nodes: dict.fromkeys(nodes, not 4 < seconds < 7), lambda seconds: {"n1": GOOD, "n2": GOOD} if seconds > 30 else {}
    )  # fmt: skip
    assert all(reply.ok for reply in wait.replies().values())


def test_nodes_are_asked_now_and_then_not_at_every_tick() -> None:
    wait = Wait(both(True))
    wait.replies()
    gaps = [later - earlier for earlier, later in zip(wait.probes, wait.probes[1:], strict=False)]
    assert all(gap >= 5 for gap in gaps[:-1])
    assert 15 <= len(wait.probes) <= 21


def test_answers_that_take_long_to_read_are_read_less_often() -> None:
    wait, read = Wait(both(True)), list[float]()
    answers = wait.salt.answers

    def slowly(call: Call, jid: str) -> dict[str, Reply]:
        read.append(wait.clock.seconds)
        wait.clock.pause(2.0)
        return answers(call, jid)

    wait.salt.answers = slowly  # type: ignore[method-assign]
    wait.replies()
    assert len(read) <= 12


def test_stranger_among_the_answers_is_left_out() -> None:
    wait = Wait(answered=lambda seconds: {"n1": GOOD, "n2": GOOD, "n3": GOOD})
    assert set(wait.replies()) == {"n1", "n2"}


def test_asking_who_runs_a_job_is_over_when_all_have_said_so() -> None:
    wait = Wait(lambda seconds, nodes: {"n1": False, **({"n2": True} if seconds > 3 else {})})
    said = who_runs(wait.salt, wait.jid, ("n1", "n2"), Patience(), wait.clock, wait.clock.pause)
    assert said == {"n1": False, "n2": True}
    assert wait.clock.seconds < 4


def test_asking_who_runs_a_job_leaves_out_who_is_silent_too_long() -> None:
    wait = Wait(lambda seconds, nodes: {"n1": False})
    assert who_runs(wait.salt, wait.jid, ("n1", "n2"), Patience(), wait.clock, wait.clock.pause) == {"n1": False}
    assert wait.clock.seconds == pytest.approx(20, abs=1)
