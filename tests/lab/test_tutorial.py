"""The tutorial as somebody would follow it: every command of it, in its order, ends as the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.conftest import NAME
from tests.support.tutorial import DOCUMENT, Player, written
from upgrader.lab import Lab
from upgrader.lab.narrator import Narrator

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    lab = Lab(f"{NAME}t", narrator=Narrator())
    lab.down()
    lab.up(topology="control", instances=20)
    try:
        yield Player(lab)
    finally:
        lab.down()


def words(lines: list[str]) -> set[str]:
    """What was said without what is another each time: numbers, ids, times."""
    return {re.sub(r"[0-9a-fA-F]*\d[\w.:+-]*", "N", line).strip() for line in lines}


def test_every_command_of_the_tutorial_ends_as_the_page_says(player: Player) -> None:
    for command in written(DOCUMENT.read_text()):
        now = player.play(command)
        assert now.code == command.code, now
        if command.said:
            assert words(command.said) & words(now.said), (command.said, now.said)
