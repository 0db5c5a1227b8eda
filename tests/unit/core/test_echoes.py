"""An id that answers twice belongs to two minions."""

from __future__ import annotations

from typing import Any

from tests.support.clock import Clock
from upgrader.transport.echoes import LATE, Echoes, told


class Bus:
    """Salt's event bus: ``get_event`` gives the next event of the tag, or None."""

    def __init__(self) -> None:
        self.left = 0
        self.waiting: list[tuple[str, dict[str, Any]]] = []

    def get_event(self, wait: float, tag: str, match_type: str, no_block: bool) -> dict[str, Any] | None:
        assert match_type == "startswith" and no_block
        for number, (name, _event) in enumerate(self.waiting):
            if name.startswith(tag):
                return self.waiting.pop(number)[1]
        return None

    def destroy(self) -> None:
        self.left += 1

    def answer(self, jid: str, node: str) -> None:
        self.waiting.append((f"salt/job/{jid}/ret/{node}", {"id": node}))


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
