"""The operator's words for nodes, as Salt reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.data_plane import COMPUTES, GATEWAY, data_plane_cloud
from upgrader.cloud.target import in_pillar, named, resolved
from upgrader.errors import Refused, UsageError

ONE, TWO, THREE, FOUR = COMPUTES
CLOUD = data_plane_cloud()
PILLARS: Mapping[str, Mapping[str, Any]] = {
    **{node: {"nova": {"compute": {"enabled": True}}, "rack": "a" if node in (ONE, TWO) else "b"} for node in COMPUTES},
    GATEWAY: {"neutron": {"gateway": {"enabled": True}}, "roles": ["gateway", "spare"]},
}


def found(words: str) -> tuple[str, ...]:
    return resolved(words, CLOUD, lambda node: PILLARS.get(node, {}))


@pytest.mark.parametrize(
    ("words", "nodes"),
    [
        ("cmp*", COMPUTES),
        ("cmp00[12]", (ONE, TWO)),
        ("cmp003,cmp001", (ONE, THREE)),
        ("cmp003.lab.local", (THREE,)),
        ("L@cmp001,gtw01", (ONE, GATEWAY)),
        ("E@cmp00[3-9]", (THREE, FOUR)),
        ("I@nova:compute", COMPUTES),
        ("I@neutron:gateway", (GATEWAY,)),
        ("I@rack:a", (ONE, TWO)),
        ("I@roles:spare", (GATEWAY,)),
        ("I@nova:compute and not cmp002", (ONE, THREE, FOUR)),
        ("I@rack:a or gtw*", (ONE, TWO, GATEWAY)),
        ("(I@rack:a or gtw*) and not (cmp001 or cmp002)", (GATEWAY,)),
        ("not I@rack:a and I@nova:compute", (THREE, FOUR)),
        ("cmp004 or cmp001 and gtw01", (FOUR,)),
    ],
)
def test_words_are_matched_in_the_models_order(words: str, nodes: tuple[str, ...]) -> None:
    assert found(words) == nodes


def test_pillar_is_asked_for_only_where_a_word_is_about_it() -> None:
    def never(node: str) -> Mapping[str, Any]:
        raise AssertionError(node)

    assert resolved("cmp*", CLOUD, never) == COMPUTES


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "is empty"),
        ("cmp* and", "something is missing at its end"),
        ("and cmp*", "'and' has nothing before it"),
        ("(cmp*", "a bracket is not closed"),
        ("cmp* gtw*", "'gtw\\*' stands where"),
        ("G@os:Ubuntu", "G@ is not known"),
        ("E@cmp[", "is no regular expression"),
        ("cmp009", "cmp009 is none of"),
        ("nova*", "matches no node of cloud lab"),
    ],
)
def test_words_that_cannot_be_read_or_match_nothing_are_usage(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        found(words)


@pytest.mark.parametrize("words", ["*", "ctl01", "cmp* or dbs*", "not cmp*"])
def test_node_that_carries_no_workload_is_refused_by_name(words: str) -> None:
    with pytest.raises(Refused, match=r"(ctl01|dbs01|cfg01)\.lab\.local \(\w+"):
        found(words)


def test_names_of_some_are_found_by_host_or_id() -> None:
    assert named("cmp003,cmp001.lab.local", COMPUTES, "--sample") == (ONE, THREE)
    with pytest.raises(UsageError, match="--sample: gtw01 is none of"):
        named("gtw01", COMPUTES, "--sample")


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ("a:b", True),
        ("a:b:c", True),
        ("a:b:d", False),
        ("a:list:2", True),
        ("a:flag:True", True),
        ("x", False),
        ("a", True),
        ("a:b:c:deep", False),
    ],
)
def test_pillar_words_are_keys_and_a_value(words: str, fits: bool) -> None:
    assert in_pillar({"a": {"b": "c", "list": [1, 2], "flag": True}}, words) is fits
