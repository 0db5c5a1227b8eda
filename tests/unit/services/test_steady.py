"""Units that stay up, and units that only were up when they were looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.service import steady


class Clock:
    """Time that goes on only where somebody pauses."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


def shows(state: Callable[[], tuple[str, float]]) -> dict[str, Any]:
    def show(unit: str) -> dict[str, str]:
        word, since = state()
        return {"ActiveState": word, "SubState": "sub", steady.ENTERED: str(int(since * 1e6))}

    return {"service.show": show}


def judged(salt: dict[str, Any], clock: Clock, units: tuple[str, ...] = ("keystone",)) -> dict[str, str]:
    return steady.wait(
        salt, units, 60, now=clock, pause=clock.pause, last_words=lambda unit: "bind(): Address already in use"
    )


def test_a_unit_that_has_been_up_for_long_is_not_waited_for() -> None:
    clock = Clock()
    assert "stay up: keystone" in judged(shows(lambda: ("active", 10.0)), clock)["comment"]
    assert clock.seconds == 1000.0


def test_a_unit_that_was_started_just_now_is_looked_at_until_it_has_stayed() -> None:
    clock = Clock()
    judged(shows(lambda: ("active", 1000.0)), clock)
    assert steady.SECONDS <= clock.seconds - 1000.0 <= steady.SECONDS + 1


def test_a_unit_that_ends_and_is_started_again_and_again_is_named_with_its_last_words() -> None:
    clock = Clock()
    salt = shows(lambda: ("active", clock.seconds - 1) if int(clock.seconds) % 6 < 2 else ("activating", 0.0))
    with pytest.raises(StepError) as refused:
        judged(salt, clock)
    assert "1 of 1 unit(s) do not stay up within 60 s: keystone is " in str(refused.value)
    assert "bind(): Address already in use" in str(refused.value)


def test_one_that_fails_once_and_then_stays_up_is_well() -> None:
    clock = Clock()
    salt = shows(lambda: ("active", 1010.0) if clock.seconds >= 1010 else ("activating", 0.0))
    assert judged(salt, clock)


def test_without_systemd_a_unit_is_asked_for_its_status() -> None:
    clock = Clock()
    assert judged({"service.status": lambda unit: True}, clock)
    with pytest.raises(StepError, match="keystone is not active"):
        judged({"service.status": lambda unit: False}, clock)


def test_last_words_are_the_programs_own_and_not_systemds(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "one\nbind(): Address already in use\nkeystone.service: Main process exited\n"
    monkeypatch.setattr(steady.pipeline, "output", lambda command, timeout: text)
    assert steady.said("keystone") == "one / bind(): Address already in use"
