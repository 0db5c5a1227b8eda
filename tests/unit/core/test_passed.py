"""What must have passed before a stage: whole, not long ago, with this code, and with the model of the nodes that it worked on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from upgrader.errors import Refused
from upgrader.journal.archive import Archive
from upgrader.journal.journal import Journal
from upgrader.journal.passed import require_passed
from upgrader.plan.facts import facts_of
from upgrader.plan.step import Call, Facts, Plan, Stage, Step

NEEDS = "control-plane real-upgrade needs that test-upgrade has passed on cloud lab"
REMEDY = "run 'upgrader control-plane --stage test-upgrade' to its end first"
ENDED, FORTNIGHT_LATER = "2017-08-01T10:00:00.000+00:00", "2017-08-15T10:00:00.000+00:00"
FILES = {"nova/running.sls": "a" * 64}
PILLARS = {node: {"nova": 1, "glance": 1} for node in ("cfg01", "ctl01", "upg01", "cmp001")}
FACTS = facts_of("m" * 64, FILES, PILLARS)


def stage(name: str, nodes: tuple[str, ...], requires: tuple[str, ...] = (), built: tuple[str, ...] = ()) -> Stage:
    steps = [Step("work", "work", Call("module", "do.it", nodes))]
    if built:
        steps.append(Step("machines-answer", "they answer", Call("module", "test.ping", built)))
    return Stage(name, "t", tuple(steps), requires)


@pytest.fixture
def rehearsed(tmp_path: Path) -> Archive:
    """A rehearsal on cfg01, ctl01 and upg01 that ended well."""
    archive = Archive(tmp_path)
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (stage("test-upgrade", ("cfg01", "ctl01", "upg01")),), FACTS)
    journal = Journal.create(archive.journal_path("lab", "r1"))
    journal.append("run-started", ENDED, run="r1", plan=plan.to_json(), digest=plan.digest, operator="me")
    journal.append("step-stamped", ENDED, step="work", reason="by hand")
    journal.append("run-finished", ENDED, ok=True, failed=[], reason="", refused=False)
    return archive


def require(archive: Archive, facts: Facts = FACTS, now: str = ENDED, built: tuple[str, ...] = ()) -> None:
    wanted = stage("real-upgrade", ("cfg01", "ctl01", "cmp001"), ("test-upgrade",), built)
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (wanted,), facts)
    require_passed(archive, plan, {"test-upgrade": 14}, now)


def refused(archive: Archive, facts: Facts = FACTS, now: str = ENDED, built: tuple[str, ...] = ()) -> str:
    with pytest.raises(Refused) as told:
        require(archive, facts, now, built)
    return str(told.value)


def model(**changed: dict[str, int]) -> Facts:
    return facts_of("m" * 64, FILES, {node: {**held, **changed.get(node, {})} for node, held in PILLARS.items()})


def test_stage_that_never_ran_is_named_with_the_command_that_runs_it(tmp_path: Path) -> None:
    assert refused(Archive(tmp_path)) == f"{NEEDS}, and it has never run: {REMEDY}"


def test_proof_holds_through_its_last_moment_and_not_longer(rehearsed: Archive) -> None:
    require(rehearsed, now=FORTNIGHT_LATER)
    late = refused(rehearsed, now="2017-08-20T10:00:00Z")
    assert late == f"{NEEDS}, and run r1 is 19 days old, 14 are allowed: {REMEDY}"
    assert "is 14 days old" in refused(rehearsed, now="2017-08-15T10:00:01.000+00:00")


def test_everything_that_changed_since_is_told_with_what_to_run_again(rehearsed: Archive) -> None:
    changed = facts_of("m" * 64, {"nova/running.sls": "b" * 64}, {**PILLARS, "cfg01": {"nova": 2}})
    assert refused(rehearsed, changed) == (
        f"{NEEDS}, and run r1 proved something else, for since then formulas: nova/running.sls changed; "
        f"pillar of cfg01 (glance, nova) changed: {REMEDY}"
    )


def test_only_nodes_that_were_rehearsed_on_are_told_of(rehearsed: Archive) -> None:
    require(rehearsed, model(cmp001={"nova": 2}))
    told = refused(rehearsed, model(cmp001={"nova": 2}, upg01={"nova": 2}))
    assert "pillar of upg01 (nova) changed" in told and "cmp001" not in told


def test_model_of_a_machine_that_is_built_anew_may_have_been_switched_since(rehearsed: Archive) -> None:
    switched = model(ctl01={"nova": 2})
    assert "pillar of ctl01 (nova) changed" in refused(rehearsed, switched)
    require(rehearsed, switched, built=("ctl01",))
    assert "pillar of cfg01 (nova) changed" in refused(rehearsed, model(cfg01={"nova": 2}), built=("ctl01",))


def test_order_in_which_keys_are_written_is_no_change(rehearsed: Archive) -> None:
    require(rehearsed, replace(FACTS, keys={node: dict(reversed(held.items())) for node, held in FACTS.keys.items()}))
