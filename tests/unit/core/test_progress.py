"""A long step says how far it is, and its progress can never fail it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.salt_in_memory import SaltInMemory
from upgrader.engine.events import Progress
from upgrader.engine.follow import EVERY, ProgressFollower
from upgrader.plan.step import Call
from upgrader.report.wording import duration, progress_text

CALL = Call("module", "upgrader_progress.nova", ("upg01",), {"rows": "specs"})


def follower(answers: Iterator[Any]) -> tuple[ProgressFollower, Clock, SaltInMemory]:
    clock, salt = Clock(), SaltInMemory(lambda call, node: {"return": next(answers, None), "retcode": 0})
    return ProgressFollower(salt, CALL, clock), clock, salt


def test_pace_since_the_first_answer_gives_the_time_left() -> None:
    follow, clock, _ = follower(
        iter([{"what": "rows", "done": 0, "total": 100}, {"what": "rows", "done": 25, "total": 100}])
    )
    seen = []
    for _ in range(5):
        seen.append(follow.look())
        clock.pause(EVERY)
    assert seen[0] is None
    assert seen[2] == Progress("rows", 0, 100, None)
    assert seen[3] == Progress("rows", 25, 100, 15.0)


def test_garbage_for_an_answer_is_no_progress() -> None:
    follow, clock, _ = follower(iter([None, "ERROR", {"done": "many"}]))
    for _ in range(4):
        assert follow.look() is None
        clock.pause(EVERY)


def test_master_that_is_away_does_not_fail_the_step() -> None:
    follow, clock, salt = follower(iter([{"what": "rows", "done": 1, "total": 2}]))
    salt.unreachable = True
    clock.pause(EVERY)
    assert follow.look() is None
    salt.unreachable = False
    clock.pause(EVERY)
    follow.look()
    assert follow.look() == Progress("rows", 1, 2, None)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("instances mapped", 4200, 10000, 40.0), "4,200 of 10,000 instances mapped, about 40 s left"),
        (Progress("MB in the backup store", 12), "12 MB in the backup store"),
    ],
)
def test_progress_reads_like_a_sentence(progress: Progress, text: str) -> None:
    assert progress_text(progress) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_durations_are_worded(seconds: float, text: str) -> None:
    assert duration(seconds) == text
