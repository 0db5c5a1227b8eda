"""Keeping a member, going back by it and giving it back, as pure data; and what happens to such runs when they are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SOAK
from tests.support.clouds import DATABASES, FACTS, lab_pillar
from tests.support.member_world import UUID
from tests.support.mortal import Worked, moments
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.errors import Refused, UsageError
from upgrader.plan.stages import make_plan
from upgrader.plan.step import BACKUPS, GATE, Kept, Options, Plan, Step
from upgrader.report.text import plan_text

GOLDEN = Path(__file__).parents[2] / "plans"
FIRST, SECOND, THIRD = DATABASES
KEPT = Kept("20170801T101500Z-1a2b", THIRD, {"name": "c", "uuid": UUID, "seqno": 518}, tuple(DATABASES))
GIVEN = Options(kept=KEPT)


def plan_of(stage: str, options: Options = GIVEN, databases: int = 3) -> Plan:
    pillar = lab_pillar()
    nodes = [f"dbs0{number}.lab.local" for number in range(1, databases + 1)]
    pillar |= dict.fromkeys(nodes, pillar[FIRST])
    pillar["cfg01.lab.local"]["upgrader"]["nodes"]["database"] = nodes
    return make_plan(cloud_from_pillar(pillar, "cfg01.lab.local"), "backup", stage, FACTS, options)


def step(plan: Plan, identity: str) -> Step:
    return next(step for step in plan.steps() if step.id == identity)


def nodes(plan: Plan, identity: str) -> tuple[str, ...]:
    return step(plan, identity).call.nodes


def test_way_back_of_the_lab_reads_like_the_golden_file() -> None:
    assert plan_text(plan_of("back")) + "\n" == (GOLDEN / "lab-member-back.txt").read_text()


def test_last_member_is_kept_unless_another_is_named() -> None:
    """The first one is the one to which a proxy sends the clients."""
    assert nodes(plan_of("hold"), "member-hold") == (THIRD,)
    assert nodes(plan_of("hold", Options(member="dbs02")), "member-hold") == (SECOND,)
    assert step(plan_of("hold", Options(member="dbs02")), "member-fits").call.args["holder"] == SECOND
    assert nodes(plan_of("hold", databases=5), "member-hold") == ("dbs05.lab.local",)
    with pytest.raises(UsageError, match=r"dbs09 is no database node: there are dbs01\.lab\.local, dbs02"):
        plan_of("hold", Options(member="dbs09"))


@pytest.mark.parametrize("databases", [1, 2])
def test_cluster_of_two_cannot_do_without_one(databases: int) -> None:
    with pytest.raises(Refused, match=rf"has {databases} member\(s\) and needs 3 .*backup place ID"):
        plan_of("hold", databases=databases)


def test_every_gate_of_keeping_comes_before_the_stop_and_every_member_is_asked() -> None:
    plan = plan_of("hold")
    phases = [one.phase for one in plan.steps()]
    assert phases == [GATE] * phases.count(GATE) + ["work", "verify"]
    assert set(nodes(plan, "member-fits")) == set(DATABASES) == set(nodes(plan, "member-window"))


def test_others_are_stopped_and_aside_before_the_cluster_is_founded_and_the_kept_one_never_is() -> None:
    plan = plan_of("back")
    order = [one.id for one in plan.steps() if one.phase != GATE]
    assert order == [
        "member-stop", "member-aside", "member-found", "member-join-dbs01", "member-join-dbs02", "member-verify", "member-settle",
    ]  # fmt: skip
    assert nodes(plan, "member-stop") == nodes(plan, "member-aside") == (FIRST, SECOND)
    assert nodes(plan, "member-found") == nodes(plan, "member-settle") == (THIRD,)


def test_node_that_is_lost_or_a_member_that_was_touched_leaves_the_backup() -> None:
    assert step(plan_of("back"), "nodes-answer").mends == BACKUPS
    assert step(plan_of("back"), "member-untouched").mends == BACKUPS


def test_dead_other_is_left_out_by_name_only() -> None:
    plan = plan_of("back", Options(kept=KEPT, without=("dbs02",)))
    assert SECOND not in plan.nodes()
    assert step(plan, "member-verify").call.args["members"] == 2
    with pytest.raises(UsageError, match="is the kept member itself"):
        plan_of("back", Options(kept=KEPT, without=("dbs03",)))
    with pytest.raises(UsageError, match="no member is left"):
        plan_of("back", Options(kept=KEPT, without=("dbs01", "dbs02")))


@pytest.mark.parametrize("stage", ["back", "rejoin"])
def test_member_that_was_added_to_the_model_since_is_named(stage: str) -> None:
    with pytest.raises(Refused, match=r"dbs04.lab.local was added since"):
        plan_of(stage, databases=4)
    with pytest.raises(Refused, match=r"dbs03.lab.local is gone from it"):
        plan_of(stage, databases=2)


@pytest.mark.parametrize("stage", ["hold", "back", "rejoin"])
def test_every_step_may_be_run_again(stage: str) -> None:
    assert all(one.retry_safe for one in plan_of(stage).steps())


@pytest.mark.parametrize("stage", ["hold", "back", "rejoin"])
def test_run_that_is_killed_at_any_moment_does_everything_once(stage: str, tmp_path: Path) -> None:
    """Before and after each line of the journal and each publication; every day at one of seven, as the engine's own steps have all."""
    steps = tuple(plan_of(stage).steps())
    wanted = {(one.call.function, node): 0 for one in steps if one.phase != GATE for node in one.call.nodes}
    for one in steps:
        for node in one.call.nodes if one.phase != GATE else ():
            wanted[one.call.function, node] += 1
    for moment in range(1, moments(tmp_path, steps) + 1, 1 if SOAK else 7):
        folder = tmp_path / str(moment)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            mortal = Worked(folder, patch, steps)
            assert mortal.until_killed(moment) is None
            outcome = mortal.until_killed(-1)
        assert outcome is not None, moment
        assert outcome.ok, (moment, outcome)
        assert {effect: count for effect, count in mortal.effects.items() if effect in wanted} == wanted, moment
