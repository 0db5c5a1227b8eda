"""Nodes that go through a plan batch after batch: each stands for itself, a budget ends the stage, and all are in service again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.data_plane import COMPUTES, CTL1, GATEWAY, data_plane_plan, rollout
from tests.support.runs import BAD, GOOD, Run
from upgrader.errors import Interrupted
from upgrader.journal.batches import failed_nodes
from upgrader.plan.step import Call, Rollout

ONE, TWO, THREE, FOUR = COMPUTES
ENABLE, DISABLE, UPGRADE = "upgrader_agents.enable", "upgrader_agents.disable", "upgrader_package.upgrade"
STATE: Mapping[str, Any] = {"return": {"a": {"result": True}}, "retcode": 0}


def well(call: Call, node: str) -> Mapping[str, Any]:
    return dict(STATE if call.kind == "state" else GOOD)


def failing(function: str, *nodes: str, answer: Mapping[str, Any] | None = BAD) -> Any:
    """This function fails on these nodes (``answer`` None: they say nothing), everything else is well."""
    return lambda call, node: answer if call.function == function and (node in nodes or not nodes) else well(call, node)


class Rolling(Run):
    """A run of the plan of stage all, whose calls are remembered with their arguments."""

    def __init__(self, folder: Path, given: Rollout | None = None) -> None:
        super().__init__(folder)
        self.plan = data_plane_plan("all", given or rollout())
        self.salt.answer = well
        self.calls: list[Call] = []
        submit = self.salt.submit

        def noted(call: Call, jid: str) -> None:
            self.calls.append(call)
            submit(call, jid)

        self.salt.submit = noted  # type: ignore[method-assign]

    def called(self, function: str) -> list[tuple[str, ...]]:
        return [call.nodes for call in self.calls if call.function == function]

    def hosts(self, function: str) -> list[list[str]]:
        return [list(call.args["hosts"]) for call in self.calls if call.function == function]

    def well(self) -> None:
        super().well()
        self.salt.answer, self.calls = well, []


def test_each_batch_is_proven_and_in_service_before_the_next_begins(tmp_path: Path) -> None:
    run = Rolling(tmp_path)
    assert run.start().ok
    assert run.called(UPGRADE) == [(ONE, TWO), (THREE, FOUR), (GATEWAY,)]
    assert run.hosts(DISABLE) == run.hosts(ENABLE) == [["cmp001", "cmp002"], ["cmp003", "cmp004"], ["gtw01"]]
    order = [call.function for call in run.calls]
    second = [number for number, call in enumerate(run.calls) if call.function == UPGRADE][1]
    assert order.index("upgrader_agents.proven") < order.index(ENABLE) < second


def test_node_that_failed_is_not_carried_on_and_the_others_of_its_batch_are(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = failing(UPGRADE, ONE)
    outcome = run.start()
    assert not outcome.ok
    assert run.called("upgrader_compute.restart") == [(TWO,), (THREE, FOUR), (GATEWAY,)]
    assert run.hosts("upgrader_agents.proven")[0] == ["cmp002"]
    assert run.hosts(ENABLE)[0] == ["cmp001", "cmp002"], "both were taken out of service"
    assert list(outcome.failed) == ["b1-packages"]
    assert run.state("b1-restart") == "held up"
    assert failed_nodes(run.progress()) == {ONE: "b1-packages"}


def test_paths_are_measured_to_the_end_on_a_node_that_failed(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = failing(UPGRADE, ONE)
    run.start()
    assert run.called("upgrader_path.stop")[0] == (ONE, TWO)


def test_no_batch_begins_when_more_nodes_failed_than_may_in_all_batches_before(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(batch=1, max_failures=1))
    run.salt.answer = failing("upgrader_config.save", ONE, THREE)
    outcome = run.start()
    assert run.called("test.ping")[-1] == (THREE,), "the fourth was not begun"
    assert run.hosts(ENABLE) == [["cmp001"], ["cmp002"], ["cmp003"]]
    assert set(outcome.failed) == {"b1-config-kept", "b3-config-kept"}
    assert outcome.not_reached["b4-answer"] == ("b1-config-kept", "b3-config-kept")


def test_node_counts_once_however_many_steps_it_keeps_from_others(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(batch=1, max_failures=1))
    run.salt.answer = failing("upgrader_path.stop", ONE)
    assert not run.start().ok
    assert len(run.called("upgrader_path.stop")) == 5


def test_silent_node_is_a_failure_and_is_asked_nothing_more(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = lambda call, node: None if node == TWO else well(call, node)
    outcome = run.start()
    assert outcome.in_doubt
    assert run.called("upgrader_node.pillar_current")[1:] == [(ONE,), (THREE, FOUR), (GATEWAY,)]
    assert run.hosts(DISABLE)[0] == ["cmp001"]


def test_node_that_dies_during_its_packages_does_not_hold_up_the_others(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = failing(UPGRADE, TWO, answer=None)
    assert run.start().in_doubt
    assert run.called("upgrader_compute.restart")[0] == (ONE,)
    assert run.hosts(ENABLE)[0] == ["cmp001", "cmp002"]
    run.well()
    assert run.resume().ok
    assert run.called(UPGRADE) == [(TWO,)]


def test_two_minions_of_one_id_stop_that_node_before_anything_is_done_there(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = failing("test.ping", ONE, answer={"return": "ERROR: cmp001 answers twice", "retcode": 1})
    run.start()
    assert all(call.once for call in run.calls if call.function == "test.ping")
    assert ONE not in {node for call in run.calls if call.function != "test.ping" for node in call.nodes}


def test_host_that_the_cloud_does_not_see_fails_alone_where_the_controller_names_it(tmp_path: Path) -> None:
    found = {
        "findings": [{"severity": "blocker", "subject": "cmp002", "what": "nova-compute is down", "remedy": "look"}]
    }
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = lambda call, node: (
        {"return": found, "retcode": 0}
        if call.function == "upgrader_agents.proven" and "cmp002" in call.args["hosts"]
        else well(call, node)
    )
    assert not run.start().ok
    assert failed_nodes(run.progress()) == {TWO: "b1-proven"}
    assert run.called("upgrader_route.judge")[0] == (ONE,)


def test_controller_that_fails_without_a_name_fails_the_whole_batch(tmp_path: Path) -> None:
    run = Rolling(tmp_path)
    run.salt.answer = failing(DISABLE)
    assert not run.start().ok
    assert set(failed_nodes(run.progress())) == {ONE, TWO}
    assert run.called(UPGRADE) == []
    assert run.hosts(ENABLE) == [["cmp001", "cmp002"]], "nobody knows what it did before it failed"


def test_resume_takes_the_failed_node_out_of_service_again_and_leaves_finished_batches_alone(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1))
    run.salt.answer = failing(UPGRADE, THREE)
    run.start()
    run.well()
    assert run.resume().ok
    assert run.called(UPGRADE) == [(THREE,)]
    assert run.called("upgrader_compute.restart") == [(THREE,)]
    assert run.hosts(DISABLE) == run.hosts(ENABLE) == [["cmp003", "cmp004"]]
    assert run.hosts("upgrader_agents.proven") == [["cmp003", "cmp004"]]
    assert run.called("upgrader_route.record") == []


def test_stage_goes_on_with_the_next_batch_when_the_failed_node_is_well_on_resume(tmp_path: Path) -> None:
    run = Rolling(tmp_path)
    run.salt.answer = failing(UPGRADE, ONE)
    run.start()
    assert run.called(UPGRADE) == [(ONE, TWO)]
    run.well()
    assert run.resume().ok
    assert run.called(UPGRADE) == [(ONE,), (THREE, FOUR), (GATEWAY,)]


@pytest.mark.parametrize("function", [DISABLE, UPGRADE, "upgrader_compute.restart", "upgrader_path.stop", ENABLE])
def test_run_that_was_killed_in_the_middle_of_a_batch_ends_with_all_in_service(tmp_path: Path, function: str) -> None:
    run = Rolling(tmp_path)
    run.salt.die_after = function
    with pytest.raises(Interrupted):
        run.start()
    run.calls.clear()
    assert run.resume().ok
    assert run.hosts(ENABLE)[0] == ["cmp001", "cmp002"] or function == ENABLE
    service: set[str] = set()
    for row in run.rows("step-started"):
        hosts = set(row["args"].get("hosts", ()))
        if "disable" in row["step"]:
            service |= hosts
        elif "enable" in row["step"]:
            service -= hosts
    assert service == set()
    assert [nodes for nodes in run.called(UPGRADE) if ONE in nodes] == ([(ONE, TWO)] if function == DISABLE else [])


def test_resume_whose_last_batch_is_otherwise_done_still_takes_it_back_into_service(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout((ONE,)))
    run.salt.answer = failing("upgrader_route.judge", ONE)
    run.start()
    assert run.hosts(ENABLE) == [["cmp001"]]
    run.well()
    assert run.resume().ok
    assert run.hosts(DISABLE) == run.hosts(ENABLE) == [["cmp001"]]
    run.well()


def test_run_stopped_between_two_batches_asks_nothing_of_the_first_one_again(tmp_path: Path) -> None:
    run = Rolling(tmp_path)
    submit = run.salt.submit

    def stop_at_the_second(call: Call, jid: str) -> None:
        if call.function == "test.ping" and call.nodes == (THREE, FOUR):
            run.salt.submit = submit  # type: ignore[method-assign]
            raise KeyboardInterrupt
        submit(call, jid)

    run.salt.submit = stop_at_the_second  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        run.start()
    run.calls.clear()
    assert run.resume().ok
    assert {ONE, TWO} & {node for call in run.calls for node in call.nodes} == set()
    assert run.hosts(ENABLE) == [["cmp003", "cmp004"], ["gtw01"]]


def test_controllers_are_restarted_only_when_every_node_is_done(tmp_path: Path) -> None:
    run = Rolling(tmp_path, rollout(max_failures=1, closes=True))
    run.salt.answer = failing(UPGRADE, ONE)
    run.start()
    assert run.called("upgrader_compute.reconnect") == []
    run.well()
    assert run.resume().ok
    units = [call.args["services"] for call in run.calls if call.function == "upgrader_compute.reconnect"]
    assert units == [
        [one]
        for one in ("nova-api", "nova-api", "nova-conductor", "nova-conductor", "nova-scheduler", "nova-scheduler")
    ]
    assert run.called("upgrader_agents.closed") == [(CTL1,)]


def test_gate_that_refuses_on_resume_does_not_keep_hosts_out_of_service(tmp_path: Path) -> None:
    run = Rolling(tmp_path)
    run.salt.die_after = UPGRADE
    with pytest.raises(Interrupted):
        run.start()
    run.calls.clear()
    run.salt.answer = failing("upgrader_node.formulas_served")
    assert not run.resume().ok
    assert run.hosts(ENABLE) == [["cmp001", "cmp002"]]
