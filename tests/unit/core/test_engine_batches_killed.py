"""A run over nodes in batches that is killed at any moment: when it has come to its end, every host is in service and upgraded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SOAK
from tests.support.data_plane import COMPUTES, GATEWAY, data_plane_plan, rollout
from tests.support.mortal import Mortal
from tests.support.runs import BAD, GOOD, Run
from upgrader.plan.step import Call

ONE, TWO, _, _ = COMPUTES
NODES = (ONE, TWO, GATEWAY)
EVERY = 1 if SOAK else 11
"""Every so manyth moment is tried each day; all of them in a soak."""


class Cloud(Mortal):
    """Nodes and a controller that do what they are told, by a command that dies at a given moment.

    ``out`` are the hosts that are out of service, by the run's own orders; ``done`` counts what was done to packages.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(Run(folder), patch)
        self.run.plan = data_plane_plan("all", rollout(NODES, batch=2, max_failures=1))
        self.out, self.done, self.broken = set[str](), Counter[str](), set[str]()
        self.upgraded_in_service: list[str] = []
        self.run.salt.answer = self.answer

    def answer(self, call: Call, node: str) -> Mapping[str, Any]:
        if call.function == "upgrader_agents.disable":
            self.out |= set(call.args["hosts"])
        elif call.function == "upgrader_agents.enable":
            self.out -= set(call.args["hosts"])
        elif call.function == "upgrader_package.upgrade":
            self.done[node] += 1
            self.upgraded_in_service += [] if node.split(".")[0] in self.out else [node]
            if node in self.broken:
                return BAD
        return {"return": {"a": {"result": True}}, "retcode": 0} if call.kind == "state" else dict(GOOD)


def moments(folder: Path, broken: set[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        whole = Cloud(folder, patch)
        whole.broken = broken
        return whole.moments()


@pytest.mark.parametrize("broken", [set(), {ONE}], ids=["all well", "one fails"])
def test_hosts_are_back_in_service_and_upgraded_out_of_it_wherever_the_run_is_killed(
    tmp_path: Path, broken: set[str]
) -> None:
    number = moments(tmp_path, broken)
    assert number > 200
    for moment in range(1, number + 1, EVERY):
        folder = tmp_path / str(moment)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            cloud = Cloud(folder, patch)
            cloud.broken = set(broken)
            assert cloud.until_killed(moment) is None
            outcome = cloud.until_killed(-1)
            if broken:
                assert outcome is None or not outcome.ok
                assert cloud.out == set(), (moment, "after the run that failed")
                cloud.broken.clear()
                outcome = cloud.until_killed(-1)
        assert outcome is not None and outcome.ok, (moment, outcome)
        assert cloud.out == set(), moment
        assert set(cloud.done) == set(NODES), moment
        assert cloud.upgraded_in_service == [], moment
        assert {node: count for node, count in cloud.done.items() if node not in broken} == dict.fromkeys(
            set(NODES) - broken, 1
        ), moment


def test_run_that_is_killed_in_every_attempt_comes_to_its_end_all_the_same(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cloud, outcome, attempts = Cloud(tmp_path, patch), None, 0
        while outcome is None:
            attempts += 1
            outcome = cloud.until_killed(131)
            assert attempts < 100
    assert outcome.ok
    assert attempts > 2
    assert cloud.out == set()
    assert cloud.upgraded_in_service == []
