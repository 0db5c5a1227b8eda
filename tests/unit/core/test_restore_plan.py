"""The restore as pure data: what it does in which order, on which node."""

from __future__ import annotations

from pathlib import Path

from tests.support.clouds import FACTS, lab_pillar
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.plan.stages import make_plan
from upgrader.plan.step import GATE, Options, Plan, Step
from upgrader.report.text import plan_text

GOLDEN = Path(__file__).parents[2] / "plans"
OPTIONS = Options(receipt="20170801T101500Z-1a2b")


def plan_of(stage: str, databases: int = 3, options: Options = OPTIONS) -> Plan:
    pillar = lab_pillar()
    nodes = pillar["cfg01.lab.local"]["upgrader"]["nodes"]
    nodes["database"] = nodes["database"][:databases]
    return make_plan(cloud_from_pillar(pillar, "cfg01.lab.local"), "backup", stage, FACTS, options)


def step(plan: Plan, identity: str) -> Step:
    return next(step for step in plan.steps() if step.id == identity)


def position(plan: Plan, identity: str) -> int:
    return [step.id for step in plan.steps()].index(identity)


def test_restore_of_the_lab_reads_like_the_golden_file() -> None:
    assert plan_text(plan_of("restore")) + "\n" == (GOLDEN / "lab-restore.txt").read_text()


def test_copy_is_made_before_the_first_server_stops() -> None:
    plan = plan_of("restore")
    assert position(plan, "restore-place") < position(plan, "restore-stop-others") < position(plan, "restore-stop")


def test_founding_node_stops_last_and_starts_first() -> None:
    plan = plan_of("restore")
    first = step(plan, "restore-found").call.nodes
    assert step(plan, "restore-stop").call.nodes == first
    assert first[0] not in step(plan, "restore-stop-others").call.nodes


def test_gates_refuse_before_anything_is_touched() -> None:
    plan = plan_of("restore")
    phases = [step.phase for step in plan.steps()]
    assert phases[: position(plan, "restore-node") + 1] == [GATE] * (position(plan, "restore-node") + 1)


def test_nodes_join_one_by_one_whatever_became_of_the_others() -> None:
    joins = [step for step in plan_of("restore").steps() if step.id.startswith("restore-join")]
    assert [len(step.call.nodes) for step in joins] == [1, 1]
    assert all(step.always and step.needs == ("restore-found",) for step in joins)


def test_single_server_has_nobody_to_join() -> None:
    ids = [step.id for step in plan_of("restore", databases=1).steps()]
    assert not [identity for identity in ids if "join" in identity or "others" in identity]
    assert ids[-1] == "restore-verify"


def test_place_is_the_beginning_of_a_restore_and_stops_nothing() -> None:
    placed, restored = ([step.id for step in plan_of(stage).steps()] for stage in ("place", "restore"))
    assert placed == restored[: len(placed)]
    assert placed[-1] == "restore-place"


def test_another_receipt_or_cluster_is_another_plan() -> None:
    digests = {
        plan_of("restore", options=options).digest
        for options in (OPTIONS, Options(receipt="other"), Options(receipt=OPTIONS.receipt, another_cluster=True))
    }
    assert len(digests) == 3


def test_every_step_may_be_run_again() -> None:
    assert all(step.retry_safe for step in plan_of("restore").steps())
