"""What changed since a plan was made is told by names: of files, nodes and top-level keys, a few of many."""

from __future__ import annotations

from typing import Any

import pytest

from upgrader.plan.facts import SHOWN, changes, facts_of
from upgrader.plan.step import Facts


def of(files: dict[str, str] | None = None, pillars: dict[str, dict[str, Any]] | None = None) -> Facts:
    return facts_of("m" * 64, files or {}, pillars or {})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": {"nova": 1}}, {"a": {"nova": 2}}, "a (nova)"),
        ({"a": {"nova": 1}}, {"a": {"nova": 1}, "b": {"nova": 1}}, "b"),
        ({"a": {"nova": 1}, "b": {"nova": 1}}, {"a": {"nova": 1}}, "b"),
        ({"a": {"nova": 1}}, {"a": {"nova": 1, "heat": 1, "glance": 1}}, "a (glance, heat)"),
    ],
    ids=["changed", "joined", "left", "more keys"],
)
def test_node_whose_pillar_changed_is_told_with_its_keys(before: Any, after: Any, told: str) -> None:
    assert changes(of(pillars=before), of(pillars=after)) == [f"pillar of {told} changed"]


def test_pillar_that_differs_in_nothing_that_has_a_name_is_told_all_the_same() -> None:
    """Four digits for each key are enough to name most changes, and not all of them."""
    assert changes(Facts(pillar="a"), Facts(pillar="b")) == ["pillar of the nodes changed"]


def test_as_many_names_as_are_shown_are_followed_by_no_number() -> None:
    files = {f"f{number}": "a" for number in range(SHOWN + 1)}
    few = dict(list(files.items())[:SHOWN])
    assert changes(of(few), of()) == [f"formulas: {', '.join(few)} changed"]
    assert changes(of(files), of()) == [f"formulas: {', '.join(few)} and 1 more changed"]


def test_nothing_is_told_where_nothing_changed() -> None:
    held = {"a": {"nova": 1, "heat": {"x": [1]}}}
    assert changes(of({"f": "a"}, held), of({"f": "a"}, held)) == []
