"""An id that answers twice belongs to two minions."""

from __future__ import annotations

from tests.support.clock import Clock
from tests.support.salt_stub import Bus
from upgrader.transport.echoes import LATE, Echoes, told


def test_only_an_id_that_answered_twice_is_doubled() -> None:
    bus, clock = Bus(), Clock()
    echoes = Echoes(bus, "7", clock)
    for node in ("a", "b", "a"):
        bus.answer("7", node)
    bus.answer("8", "b")
    assert not echoes.settled()
    assert echoes.doubled() == {"a"}


def test_a_second_answer_is_waited_for_after_each_first_one() -> None:
    bus, clock = Bus(), Clock()
    echoes = Echoes(bus, "7", clock)
    bus.answer("7", "a")
    clock.pause(LATE + 1)
    assert not echoes.settled(), "this answer has only just been heard"
    clock.pause(LATE - 0.5)
    bus.answer("7", "a")
    assert not echoes.settled()
    clock.pause(LATE + 0.1)
    assert bus.left == 0
    assert echoes.settled()
    assert echoes.doubled() == {"a"}
    assert echoes.settled() and bus.left == 1, "the bus is left once, and nobody fills it in vain"


def test_the_sentence_names_the_id_and_what_to_do() -> None:
    assert told("dbs01").startswith("dbs01 answers twice") and "stop it" in told("dbs01")
