"""Paths that answered before an upgrade must answer behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.paths import answering, control
from upgrader_node.paths.path import Path as Way

ROWS = [
    {"class": "snat", "namespace": "qrouter-1", "address": "198.51.100.1"},
    {"class": "routed", "namespace": "qrouter-1", "address": "10.0.1.5"},
]


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[Way]:
    from upgrader_node.paths import path

    found = path.parsed(ROWS)
    monkeypatch.setattr(control, "ordered", lambda run, folder: found if run == "r1" else [])
    return found


def asking(*dead: set[str]) -> Any:
    """Says round by round which names are dead; the last word stays."""
    rounds = list(dead)

    def ask(paths: list[Way]) -> dict[str, Any]:
        silent = rounds.pop(0) if len(rounds) > 1 else rounds[0]
        names = [one.name for one in paths]
        return {
            "dead": [n for n in names if n in silent],
            "paths": [{"name": n, "why": "no route to host" if n in silent else ""} for n in names],
        }

    return ask


def clock(step: float) -> Any:
    ticks = iter(range(1000))
    return lambda: next(ticks) * step


def test_path_that_comes_back_within_its_time_is_well(ways: list[Way]) -> None:
    names = {one.name for one in ways}
    answer = answering.answering("r1", "cmp001", 60, now=clock(1), ask=asking(names, set()))
    assert answer["findings"] == [] and answer["comment"] == "2 of 2 paths answer"


def test_path_that_is_silent_to_the_end_is_a_blocker_by_name(ways: list[Way]) -> None:
    answer = answering.answering("r1", "cmp001", 5, now=clock(2), ask=asking({ways[0].name}))
    [found] = answer["findings"]
    assert (found["severity"], found["subject"]) == ("blocker", "cmp001")
    assert ways[0].name in found["what"] and "no route to host" in found["what"]
    assert answer["comment"] == "1 of 2 paths answer"


def test_node_of_which_no_path_was_asked_is_well(ways: list[Way]) -> None:
    assert answering.answering("r2", "cmp001", 5, now=clock(2))["findings"] == []


def test_answer_goes_through_salts_json(ways: list[Way]) -> None:
    assert json.dumps(
        answering.answering("r1", "cmp001", 1, now=clock(2), ask=asking(set()), folder=str(Path("/nowhere")))
    )
