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


def test_work_that_grows_or_begins_anew_is_paced_anew() -> None:
    """A second round of the same step: fewer rows are done than before, so the pace of the first round says nothing."""
    told = [("a", 50, 100), ("a", 60, 100), ("b", 10, 40), ("b", 20, 40), ("b", 20, None)]
    follow, clock, _ = follower(iter([{"what": w, "done": d, "total": t} for w, d, t in told]))
    seen = []
    for _ in range(8):
        clock.pause(EVERY)
        seen.append(follow.look())
    expected = [
        Progress("a", 50, 100, None),
        Progress("a", 60, 100, 20.0),
        Progress("b", 10, 40, None),
        Progress("b", 20, 40, 10.0),
        Progress("b", 20, None, None),
    ]
    assert seen[1:6] == expected


def test_pace_is_that_of_all_rows_since_the_first_answer() -> None:
    told = [(100, 1000), (110, 1000), (200, 1000), (1100, 1000)]
    follow, clock, _ = follower(iter([{"what": "rows", "done": d, "total": t} for d, t in told]))
    left = []
    for _ in range(6):
        clock.pause(EVERY)
        progress = follow.look()
        left.append(progress.seconds_left if progress else None)
    assert left[1:5] == [None, 445.0, 80.0, 0.0]


def test_work_that_stands_still_has_no_pace_and_harms_nobody() -> None:
    follow, clock, _ = follower(iter([{"what": "rows", "done": 5, "total": 10}] * 3))
    for _ in range(4):
        clock.pause(EVERY)
        last = follow.look()
    assert last == Progress("rows", 5, 10, None)


def test_question_is_asked_now_and_then_and_each_is_asked_once() -> None:
    follow, clock, salt = follower(iter([{"what": "rows", "done": 1, "total": 2}]))
    follow.look()
    assert salt.submitted == []
    for _ in range(12):
        clock.pause(EVERY / 10)
        follow.look()
    assert salt.asked == [("upgrader_progress.nova", ("upg01",))]
    clock.pause(EVERY)
    follow.look()
    assert len(salt.asked) == 2


def test_answer_without_a_word_or_a_total_is_progress_all_the_same() -> None:
    follow, clock, _ = follower(iter([{"done": 7}]))
    for _ in range(2):
        clock.pause(EVERY)
        shown = follow.look()
    assert shown == Progress("", 7, None)


def test_total_that_is_no_number_is_no_total() -> None:
    follow, clock, _ = follower(iter([{"done": number, "total": "many"} for number in range(4)]))
    for _ in range(4):
        clock.pause(EVERY)
        shown = follow.look()
    assert shown == Progress("", 2, None)


def test_failed_answer_is_no_progress_and_the_last_one_stays() -> None:
    clock, answers = (
        Clock(),
        iter([{"return": {"what": "r", "done": 1}}, {"return": {"what": "r", "done": 2}, "retcode": 1}]),
    )
    follow = ProgressFollower(SaltInMemory(lambda call, node: next(answers, None)), CALL, clock)
    for _ in range(4):
        clock.pause(EVERY)
        shown = follow.look()
    assert shown == Progress("r", 1, None)


def test_garbage_for_an_answer_is_no_progress() -> None:
    follow, clock, _ = follower(iter([None, "ERROR", {"done": "many"}, 7]))
    for _ in range(6):
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
