"""Waiting for minions: by their events, asked again, and a timeout that says what each silent one did instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.salt_master import pki, waiting
from upgrader_node.salt_master.waiting import Event

from tests.unit.control.test_minion_keys import NEW, OLD, STRANGE

CTL, PRX = "ctl01.lab.local", "prx01.lab.local"


class Bus:
    """A master in memory: what is due is told in its turn, time goes by while it is waited for."""

    def __init__(self, pki_dir: Path, *due: tuple[float, Event]) -> None:
        self.clock, self.due, self.asked = 0.0, sorted(due, key=lambda one: one[0]), []  # type: ignore[var-annotated]
        self.master = waiting.Master(self.ask, self.event, str(pki_dir))

    def ask(self, nodes: Sequence[str]) -> str:
        self.asked.append((self.clock, list(nodes)))
        return str(len(self.asked))

    def event(self, seconds: float) -> Event | None:
        if self.due and self.due[0][0] <= self.clock + seconds:
            at, event = self.due.pop(0)
            self.clock = max(self.clock, at)
            return event
        self.clock += seconds
        return None

    def wait(self, *nodes: str, timeout: float = 60) -> waiting.Answer:
        return waiting.wait(self.master, nodes, timeout, lambda: self.clock)


def answered(job: int, node: str, value: object = True) -> Event:
    return Event(f"salt/job/{job}/ret/{node}", {"return": value})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("minions", "minions_pre", "minions_denied", "minions_rejected"):
        (tmp_path / name).mkdir()
    for node in (CTL, PRX):
        (tmp_path / "minions" / node).write_text(OLD)
    return tmp_path


def test_each_answer_is_told_with_its_seconds(folder: Path) -> None:
    bus = Bus(folder, (1.0, answered(1, CTL)), (2.5, answered(1, PRX)))
    assert bus.wait(CTL, PRX)["answered"] == {CTL: 1.0, PRX: 2.5}


@pytest.mark.parametrize("tag", [f"salt/minion/{CTL}/start", "minion_start"])
def test_one_that_starts_is_asked_at_once_and_only_the_silent_are(folder: Path, tag: str) -> None:
    bus = Bus(folder, (1.0, answered(1, PRX)), (2.0, Event(tag, {"id": CTL})), (2.2, answered(2, CTL)))
    assert bus.wait(CTL, PRX)["answered"][CTL] == 2.2
    assert bus.asked == [(0.0, [CTL, PRX]), (2.0, [CTL])]


def test_the_silent_are_asked_again_every_few_seconds(folder: Path) -> None:
    bus = Bus(folder, (12.0, answered(3, CTL)))
    bus.wait(CTL)
    assert [at for at, _ in bus.asked] == [0.0, 5.0, 10.0]


def test_answers_to_others_questions_and_of_other_minions_count_for_nothing(folder: Path) -> None:
    bus = Bus(
        folder,
        (1.0, answered(77, CTL)),
        (1.1, answered(1, "cmp001")),
        (1.2, answered(1, CTL, "'test.ping' is not available")),
    )
    with pytest.raises(StepError, match=r"ctl01\.lab\.local: it never connected"):
        bus.wait(CTL, timeout=20)


def silence(folder: Path, *due: tuple[float, Event]) -> str:
    with pytest.raises(StepError) as caught:
        Bus(folder, *due).wait(CTL, PRX, timeout=20)
    return str(caught.value)


def test_an_impostor_is_named_with_its_fingerprint(folder: Path) -> None:
    (folder / "minions_denied" / CTL).write_text(STRANGE)
    said = silence(folder, (1.0, answered(1, PRX)))
    assert said.startswith(
        f"1 of them do(es) not answer the Salt master within 20 s (answered: {PRX}): {CTL}: a machine with another key"
    )
    assert pki.fingerprint(STRANGE) in said


def test_every_silent_one_is_named_with_what_was_seen(folder: Path) -> None:
    (folder / "minions_pre" / CTL).write_text(NEW)
    said = silence(folder, (3.0, Event(f"salt/minion/{PRX}/start", {})))
    assert f"{CTL}: it came, and its key waits to be accepted ({pki.fingerprint(NEW)})" in said
    assert f"{PRX}: it started after 3 s and does not answer" in said
    (folder / "minions_pre" / CTL).rename(folder / "minions_rejected" / CTL)
    (folder / "minions" / PRX).unlink()
    said = silence(folder)
    assert (
        f"{CTL}: its key was rejected" in said and f"{PRX}: it never connected, and has no accepted key either" in said
    )


def test_nobody_to_wait_for_is_no_wait(folder: Path) -> None:
    assert Bus(folder).wait()["answered"] == {}


def test_a_master_that_restarts_is_asked_again_and_one_that_stays_away_is_named(folder: Path) -> None:
    class Away(Bus):
        back = 7.0

        def ask(self, nodes: Sequence[str]) -> str:
            if self.clock < self.back:
                raise StepError("the Salt master takes no job")
            return super().ask(nodes)

    assert Away(folder, (11.0, answered(1, CTL))).wait(CTL)["answered"] == {CTL: 11.0}
    away = Away(folder)
    away.back = 1000.0
    with pytest.raises(StepError, match=r"it never connected.*; the Salt master takes no job$"):
        away.wait(CTL, timeout=20)
