"""A plan that cannot be carried out is refused in one sentence, before anybody is asked anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.clouds import FACTS, real_pillar
from tests.support.data_plane import rollout
from upgrader.cloud.cloud import DATABASE, Cloud, cloud_from_pillar
from upgrader.cloud.roles import COMPUTE
from upgrader.content import FORMULAS
from upgrader.errors import UsageError
from upgrader.plan.backup_member import LEAST
from upgrader.plan.catalogue import Catalogue, catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.references import RUN_ID, least_of, reply_of
from upgrader.plan.stages import STAGES, StageRow, make_plan
from upgrader.plan.step import GATE, Built, Call, Kept, Options, Plan, Spread, Stage, Step
from upgrader.transport.master import MasterTransport
from upgrader.transport.ssh.door import SshTransport

GIVEN = Options(receipt="20170801T101500Z-1a2b", keep=3, protected=("b1",))
OF_THREE = ("hold", "back", "rejoin")
"""Stages of a kept member: a cluster of less than three members has none (test_member_plan.py)."""
CATALOGUE = Catalogue(
    {"it.do": frozenset({"x"}), "state.apply": frozenset({"mods"})}, frozenset({"nova", "nova.running"})
)
GROUND = Ground(("module", "state"), CATALOGUE, ("a", "b"))
CALL = Call("module", "it.do", ("a",))
STEP = Step("one", "first", CALL, retry_safe=True, no_undo="nothing to undo")
TWO = replace(STEP, id="two", needs=("one",))
THREE = replace(STEP, id="three", needs=("two",))


def given(cloud: Cloud, **more: Any) -> Options:
    """What any stage may be given; the last database node is the one that a run keeps."""
    members = cloud.role(DATABASE)
    kept = Kept("run-1", members[-1], {"uuid": "u", "seqno": 518}, members)
    receipts = {one.node: {"node": one.provider, "domain": one.node} for one in cloud.production.machines}
    few = len(members) < LEAST
    built = Built("run-1", None if few else kept, few, receipts, keys=True)
    return replace(
        GIVEN, kept=kept, built=built, rollout=rollout(cloud.role(COMPUTE), run="run-1", closes=True), **more
    )


def refused(*steps: Step) -> str:
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", steps),))
    try:
        check_plan(plan, GROUND)
    except UsageError as error:
        return str(error)
    return ""


def calling(**changed: Any) -> Step:
    return replace(STEP, call=replace(CALL, **changed))


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ((STEP, STEP), "step one: its id stands twice"),
        ((replace(STEP, needs=("nobody",)),), "it needs nobody, which no step is called"),
        ((replace(STEP, needs=("two",)), TWO), "it needs two, which does not come before it: put that first, or break the circle"),
        ((replace(STEP, needs=("one",)),), "does not come before it"),
        ((calling(nodes=()),), "names no node"),
        ((calling(nodes=("a", "z")),), "its call names z, outside the cloud"),
        ((calling(kind="runner"),), "kind 'runner', which the transport does not carry: it carries module, state"),
        ((calling(function="it.does"),), "its call calls it.does, which the formulas do not have"),
        ((calling(args={"y": 1}),), "gives it.do y, which it does not take"),
        ((calling(kind="state", function="state.apply", args={"mods": "nova,glance"}),), "applies glance, which the formulas"),
        ((replace(STEP, check=replace(CALL, function="it.done")),), "its check calls it.done"),
        ((replace(STEP, undo=replace(CALL, kind="runner")),), "its undo is of kind 'runner'"),
        ((replace(STEP, progress=replace(CALL, function="it.done")),), "its progress calls it.done"),
        ((replace(STEP, retry_safe=None),), "say retry_safe"),
        ((replace(STEP, no_undo=""),), "says neither undo nor no_undo"),
        ((calling(args={"x": [{"deep": reply_of("zero", "k")}]}),), "its call refers to zero, which no step is called"),
        ((STEP, replace(TWO, needs=(), call=replace(CALL, args={"x": reply_of("one", "k")}))), "refers to one, which it does not need"),
        ((STEP, replace(TWO, needs=(), call=replace(CALL, only=least_of("one", "k")))), "refers to one, which it does not need"),
        ((calling(args={"x": reply_of("one", "k")}),), "refers to one, which it does not need"),
        ((calling(args={"x": {"$rnu": "id"}}),), r"the reference \$rnu, which is unknown"),
        ((calling(args={"x": {"$run": "name"}}),), r"the reference \$run, which is unknown"),
    ],
)  # fmt: skip
def test_plan_that_cannot_run_is_refused(steps: tuple[Step, ...], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        check_plan(Plan("lab", "mitaka", "ocata", "control-plane", (Stage("s", "t", steps),)), GROUND)


@pytest.mark.parametrize(
    "step",
    [
        replace(STEP, no_undo="", undo=CALL),
        replace(STEP, no_undo="", phase=GATE),
        replace(STEP, retry_safe=False),
        calling(args={"x": RUN_ID}),
        calling(kind="state", function="state.apply", args={"mods": "nova,nova.running"}),
    ],
)
def test_plan_that_can_run_passes(step: Step) -> None:
    assert refused(step) == ""


def test_reference_through_other_steps_is_a_need() -> None:
    assert refused(STEP, TWO, replace(THREE, call=replace(CALL, args={"x": reply_of("one", "k")}))) == ""


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return cloud_from_pillar(real_pillar(), "cfg01.lab.local")


@pytest.mark.parametrize("row", STAGES, ids=lambda row: f"{row.part} {row.name}")
def test_every_stage_makes_a_plan_that_the_master_transport_and_the_formulas_can_carry_out(
    cloud: Cloud, row: StageRow
) -> None:
    plan = make_plan(cloud, row.part, row.name, FACTS, given(cloud, repair_server_groups=True))
    check_plan(plan, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), cloud.all_nodes))


@pytest.mark.parametrize("row", STAGES, ids=lambda row: f"{row.part} {row.name}")
def test_ssh_carries_every_stage_but_those_that_give_controllers_new_keys(cloud: Cloud, row: StageRow) -> None:
    plan = make_plan(cloud, row.part, row.name, FACTS, given(cloud))
    ground = Ground(SshTransport.kinds, catalogue_of(FORMULAS), cloud.all_nodes, SshTransport.lacks)
    if row.name in ("real-upgrade", "rollback") and row.part == "control-plane":
        with pytest.raises(UsageError, match=r"step machine-keys.* upgrader_key\..*, which the transport cannot do"):
            check_plan(plan, ground)
    else:
        check_plan(plan, ground)


@pytest.mark.parametrize("databases", [1, 2, 5])
@pytest.mark.parametrize("row", STAGES, ids=lambda row: f"{row.part} {row.name}")
def test_every_stage_works_with_any_number_of_database_nodes(row: StageRow, databases: int) -> None:
    if row.name in OF_THREE and databases < 3:
        return
    pillar = real_pillar()
    access = pillar["dbs01.lab.local"]
    nodes = [f"dbs0{number}.lab.local" for number in range(1, databases + 1)]
    pillar |= dict.fromkeys(nodes, access)
    pillar["cfg01.lab.local"]["upgrader"]["nodes"]["database"] = nodes
    cloud = cloud_from_pillar(pillar, "cfg01.lab.local")
    plan = make_plan(cloud, row.part, row.name, FACTS, given(cloud))
    check_plan(plan, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), cloud.all_nodes))
    named = {node for node in plan.nodes() if node.startswith("dbs")}
    assert named in (set(nodes), set())


def test_catalogue_has_every_function_of_the_formulas_with_its_arguments() -> None:
    held = catalogue_of(FORMULAS)
    assert {"receipt", "databases", "timeout"} == held.functions["upgrader_store.prove"]
    assert {"upgrader.nova.running", "upgrader.memcached"} <= held.states
    assert not [name for name in held.functions if name.split(".")[-1].startswith("_")], "only what Salt itself offers"


def test_gates_are_asked_of_each_node_for_itself(cloud: Cloud) -> None:
    plan = make_plan(cloud, "control-plane", "test-upgrade", FACTS)
    spread = {step.id for step in plan.steps() if step.spread == Spread()}
    assert spread == {"modules-synced", "modules-current", "pillar-current", "config-report"}
