"""The egress rules in a real kernel, by each packet filter that a node may have, in a network of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import closed_node

ROOT = Path(closed_node.__file__).parents[2]


@pytest.fixture(scope="module", params=["nft", "iptables"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    command = ["unshare", "--net", sys.executable, closed_node.__file__, request.param]
    folder = tmp_path_factory.mktemp("closed")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'formulas/_utils'}"}
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    return request.param, json.loads(done.stdout)


def test_services_are_refused_at_once_and_named(told: tuple[str, dict[str, Any]]) -> None:
    way, found = told
    assert found["doors"] == ["ConnectionRefusedError"] * 3
    place = {"nft": ("10.20.0.11", "[fd00::11]"), "iptables": ("some address", "some address")}[way]
    assert f"{place[0]} port 5672 (tcp), message queue (1 packets)" in found["judged"]
    assert f"{place[1]} port 5000 (tcp), identity (1 packets)" in found["judged"]


def test_what_the_copy_needs_is_let_out(told: tuple[str, dict[str, Any]]) -> None:
    """Nobody answers there: a connection waits for its time-out, a datagram is gone."""
    assert told[1]["allowed"] == ["TimeoutError", "sent"]


def test_the_same_rules_keep_their_counters_and_another_run_begins_at_nothing(told: tuple[str, dict[str, Any]]) -> None:
    found = told[1]
    assert (found["stands"], found["again"]) == (True, False)
    assert found["quiet"] == found["anew"] == "nothing tried to reach a service of production"
    assert all("do not stand any more" in found[when] for when in ("before", "other run", "gone"))


def test_rules_come_back_by_the_commands_of_the_unit_and_go_when_they_are_lifted(
    told: tuple[str, dict[str, Any]],
) -> None:
    found = told[1]
    assert found["after boot"] == ["nothing tried to reach a service of production", "ConnectionRefusedError"]
    assert found["lifted"] == [True, False]
    assert found["open"] != "ConnectionRefusedError"
