"""The plans of the data plane as pure data: what comes before what, who is asked, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.data_plane import (
    COMPUTES,
    CTL1,
    GATEWAY,
    TEST_RUN,
    data_plane_cloud,
    data_plane_pillar,
    data_plane_plan,
    rollout,
)
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.errors import Refused, UsageError
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Options, Plan, Rollout, Step, plan_from_json
from upgrader.report.text import plan_text

GOLDEN = Path(__file__).parents[2] / "plans"
GIVEN: dict[str, Rollout] = {
    "test": rollout(digests={}, kept={}),
    "sample": rollout(COMPUTES[:1]),
    "all": rollout(closes=True),
    "rollback": rollout(run=TEST_RUN),
}


def steps(plan: Plan) -> dict[str, Step]:
    return {step.id: step for step in plan.steps()}


def before(found: dict[str, Step], step: str) -> set[str]:
    needs = set(found[step].needs)
    return needs.union(*(before(found, one) for one in needs)) if needs else needs


@pytest.mark.parametrize("stage", GIVEN)
def test_plan_reads_like_the_golden_file(stage: str) -> None:
    assert plan_text(data_plane_plan(stage, GIVEN[stage])) + "\n" == (GOLDEN / f"data-plane-{stage}.txt").read_text()


@pytest.mark.parametrize("stage", GIVEN)
def test_plan_survives_json(stage: str) -> None:
    plan = data_plane_plan(stage, GIVEN[stage])
    assert plan_from_json(plan.to_json()) == plan


def test_nothing_is_changed_before_it_is_measured_out_of_service_and_kept() -> None:
    found = steps(data_plane_plan("sample", GIVEN["sample"]))
    assert {
        "answer",
        "current",
        "pillar",
        "routes-before",
        "agents-before",
        "paths",
        "disable",
        "config-kept",
    } <= before(found, "packages")
    assert "sources-kept" in before(found, "node-repositories")
    assert found["enable"].always and found["paths-end"].always
    assert {"proven", "routes"} <= before(found, "paths-answer")


def test_only_the_controllers_and_the_master_are_gates_of_the_whole_stage() -> None:
    for step in data_plane_plan("all", GIVEN["all"]).steps():
        if step.phase == "gate":
            assert not set(step.call.nodes) & {*COMPUTES, GATEWAY}, step.id


def test_gateways_come_one_by_one_behind_the_computes_and_their_routers_are_moved() -> None:
    cloud = data_plane_cloud(gateways=(GATEWAY, "gtw02.lab.local"))
    plan = data_plane_plan("all", rollout((*COMPUTES, GATEWAY, "gtw02.lab.local"), batch="100%"), cloud)
    batches = {step.batch: step.call.nodes for step in plan.steps() if step.id.endswith("-packages")}
    assert batches == {1: COMPUTES, 2: (GATEWAY,), 3: ("gtw02.lab.local",)}
    found = steps(plan)
    assert "b2-move-gtw01" in before(found, "b2-packages")
    assert found["b2-back-gtw01"].always and found["b2-back-gtw01"].about == (GATEWAY,)
    assert found["b2-pinned"].call.args["role"] == "gateway"


def test_way_back_first_asks_whether_computes_of_the_old_release_may_start() -> None:
    found = steps(data_plane_plan("rollback", GIVEN["rollback"]))
    assert found["may-go-back"].phase == "gate" and found["may-go-back"].call.args["hosts"] == [
        f"cmp00{n}" for n in range(1, 5)
    ]
    assert "may-go-back" not in steps(data_plane_plan("rollback", rollout((GATEWAY,), run=TEST_RUN)))


def test_lacking_account_for_placement_is_found_by_the_test_and_before_a_package_changes() -> None:
    found = steps(data_plane_plan("test", GIVEN["test"]))
    assert found["model-compute"].call.nodes == COMPUTES and found["model-gateway"].call.nodes == (GATEWAY,)
    assert {"model-compute", "model-gateway"} <= before(found, "difference")
    assert "model-compute" in before(steps(data_plane_plan("sample", GIVEN["sample"])), "disable")


def test_openvswitch_is_restarted_only_where_that_is_asked_for() -> None:
    usual = steps(data_plane_plan("sample", GIVEN["sample"]))["restart"].call.args
    asked = steps(data_plane_plan("sample", rollout(COMPUTES[:1], restart_openvswitch=True)))["restart"].call.args
    assert "services" not in usual, "the node knows its agents"
    assert asked["services"][:2] == ["openvswitch-switch", "nova-compute"]


def test_instances_are_moved_only_where_that_is_asked_for() -> None:
    assert not [one for one in steps(data_plane_plan("sample", GIVEN["sample"])) if "evacuate" in one]
    found = steps(data_plane_plan("sample", rollout(COMPUTES[:2], evacuate=True)))
    assert found["evacuate-cmp002"].call.args["host"] == "cmp002" and found["evacuate-cmp002"].call.nodes == (CTL1,)
    assert {"evacuate-cmp001", "evacuate-cmp002"} <= before(found, "packages")


def test_cloud_of_contrail_applies_no_state_of_the_networks_agents() -> None:
    pillar: Any = data_plane_pillar()
    pillar["cfg01.lab.local"]["upgrader"]["deployment"] = "mcp"
    pillar[CTL1]["neutron"]["server"]["backend"]["engine"] = "contrail"
    found = steps(data_plane_plan("sample", GIVEN["sample"], cloud_from_pillar(pillar, "cfg01.lab.local")))
    assert "compute-nova" in found and "compute-neutron" not in found
    assert found["agents-before"].call.args["without"] == found["proven"].call.args["without"] == ["neutron"]


def test_paths_lead_where_the_operator_says() -> None:
    found = steps(data_plane_plan("sample", rollout(COMPUTES[:1], beyond="198.51.100.1", instances=("vm-*",))))
    assert found["paths"].call.args["beyond"] == found["routes"].call.args["beyond"] == "198.51.100.1"
    assert found["paths"].call.args["instances"] == ["vm-*"]


def test_site_deployment_applies_its_own_states_without_starting_services() -> None:
    plan = data_plane_plan("sample", GIVEN["sample"], data_plane_cloud(deployment="mcp"))
    found = steps(plan)
    assert found["compute-nova"].call.function == "upgrader_site.configured"
    assert found["compute-nova"].call.args["mods"] == ("nova.compute",)
    assert {"compute-nova", "compute-neutron", "pin", "pinned"} <= before(found, "restart")
    assert "pin" not in steps(data_plane_plan("sample", GIVEN["sample"])), "our own states write it so"
    tested = steps(data_plane_plan("test", GIVEN["test"], data_plane_cloud(deployment="mcp")))
    assert tested["site-compute"].call.args["mods"] == ("linux.system.repo", "nova.compute", "neutron.compute")
    assert tested["site-gateway"].call.nodes == (GATEWAY,)


def test_controllers_follow_only_when_no_compute_is_left() -> None:
    assert "control-nova-api" not in steps(data_plane_plan("all", rollout()))
    found = steps(data_plane_plan("all", GIVEN["all"]))
    assert {"b1-enable", "b2-enable", "b3-enable", "b1-paths-end", "b3-back-gtw01", "b2-paths-answer"} <= before(
        found, "control-unpinned"
    )
    order = [
        "control-unpinned",
        "control-unpin",
        "control-nova-api",
        "control-nova-conductor",
        "control-nova-scheduler",
    ]
    for earlier, later in zip(order, [*order[1:], "data-plane-closed"], strict=True):
        assert earlier in before(found, later)


def test_stage_for_whose_nodes_nothing_is_left_only_closes() -> None:
    plan = data_plane_plan("all", rollout((), closes=True))
    assert next(step.id for step in plan.steps() if step.phase != "gate") == "control-unpinned"


def test_budget_is_of_the_stages_own_nodes_and_stands_in_the_plan() -> None:
    stage = data_plane_plan("all", rollout(max_failures="50%")).stages[0]
    assert stage.max_failures == 2
    assert stage.target == (*COMPUTES, GATEWAY)


def test_node_without_a_digest_is_refused_by_name() -> None:
    given = rollout()
    with pytest.raises(Refused, match=r"cmp002.lab.local: nobody has seen what would change there"):
        data_plane_plan("all", Rollout(given.target, given.nodes, {**given.digests, COMPUTES[1]: ""}, given.kept))


@pytest.mark.parametrize("stage", GIVEN)
def test_stage_without_nodes_asks_for_them(stage: str) -> None:
    with pytest.raises(UsageError, match="--target"):
        make_plan(data_plane_cloud(), "data-plane", stage, data_plane_plan("test", GIVEN["test"]).facts, Options())


def test_hosts_that_a_cut_run_only_took_out_of_service_are_put_back_by_its_way_back() -> None:
    cut = dict.fromkeys((COMPUTES[0], COMPUTES[2]), TEST_RUN)
    plan = data_plane_plan("rollback", rollout(COMPUTES[:1], run=TEST_RUN, cut=cut))
    *_, back = plan.steps()
    assert (back.id, back.phase, back.call.function) == ("enable-others", "work", "upgrader_agents.enable")
    assert back.call.nodes == (CTL1,) and back.call.args == {"run": TEST_RUN, "hosts": ["cmp003"]}
    assert back.call.timeout == 900
    assert back.title == "back into service, where that run did nothing else before it was cut"
    assert back.no_undo == "it undoes what that run did"
    assert set(back.needs) == {"modules-current", "pillar-current"}
    assert "enable-others" not in {step.id for step in data_plane_plan("rollback", rollout(run=TEST_RUN)).steps()}


def test_way_back_of_the_data_plane_wants_the_run_that_it_takes_back() -> None:
    with pytest.raises(UsageError) as told:
        data_plane_plan("rollback", rollout())
    assert str(told.value) == ("name the run of the data plane that is taken back; 'upgrader history' lists the runs")


def test_packages_of_before_come_from_the_run_that_kept_them_node_by_node() -> None:
    kept = {COMPUTES[0]: "run-1", COMPUTES[1]: "run-2"}
    plan = data_plane_plan("rollback", rollout(COMPUTES[:2], run=TEST_RUN, kept=kept))
    restored = [step.call for step in plan.steps() if step.call.function == "upgrader_package.restore"]
    assert {call.nodes: call.args["run"] for call in restored} == {
        COMPUTES[:1]: "run-1",
        COMPUTES[1:2]: "run-2",
    }
