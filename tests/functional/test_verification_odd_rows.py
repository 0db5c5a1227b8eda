"""Odd rows in a source and its upgraded copy, which the real APIs list as they do: none of them ends a good rehearsal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upgrader_node.verify import baseline as source

from tests.conftest import SOAK
from tests.functional import oddities
from tests.functional.bench import MAIN
from tests.functional.controller import ALL, Controller, database
from tests.functional.copies import PATH, SERVICES
from tests.functional.whole_controller import verified

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def beside(controller: Controller) -> Iterator[oddities.Cloud]:
    """The source once more, at Mitaka, so that a baseline can be taken of what is then planted in both."""
    bench = controller.bench
    for service in SERVICES:
        bench._load(odd_source(service), controller.copies.sources[service])
    bench._load(odd_source("nova"), bench._dumps["mitaka"][MAIN])
    oddities.plant(bench.query, odd_source)
    yield oddities.Cloud(bench.query, odd_source, database)
    for service in (*SERVICES, "nova"):
        bench.query(f"DROP DATABASE IF EXISTS {odd_source(service)}")


def odd_source(service: str) -> str:
    return database(f"odd_{service}")


def compared(controller: Controller, run: str) -> list[dict[str, Any]]:
    """Findings of the upgraded cloud against a baseline of the source beside it."""
    held = json.loads(json.dumps(controller.pillar))
    for service in ALL:
        for role in held[service].values():
            role["database"]["name"] = odd_source(service)
    folder = controller.root / "baseline"
    (folder / f"{run}.json").unlink(missing_ok=True)
    source.take(pymysql, held, run, str(folder), PATH)
    return list(verified(controller, run=run)["findings"])


CHOSEN = st.lists(st.tuples(st.sampled_from(oddities.CHOICES), st.integers(0, 99)), min_size=10, max_size=40)


@settings(max_examples=6 if SOAK else 2, derandomize=True, deadline=None, database=None)
@given(chosen=CHOSEN)
def test_no_odd_row_ends_a_good_rehearsal(
    controller: Controller, beside: oddities.Cloud, chosen: list[tuple[tuple[oddities.Odd, Any], int]]
) -> None:
    with beside.planted([(odd, value, number) for (odd, value), number in chosen]) as planted:
        found = compared(controller, "odd")
    assert [one["what"] for one in found if one["severity"] == "blocker"] == [], planted
