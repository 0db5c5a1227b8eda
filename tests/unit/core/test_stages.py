"""The table of stages: one row is all that a new stage needs."""

# ruff: noqa: F401, F811  the fixtures

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt
from upgrader.cloud.cloud import BACKUP, Cloud
from upgrader.plan import stages
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.shapes import READY, work
from upgrader.plan.step import Call, Facts, Options, Step
from upgrader.reclass.needs import NEEDS

REHEARSAL = stages.stage_row("control-plane", "test-upgrade")


def tidy(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """A made-up stage."""
    nodes = cloud.role(BACKUP)
    call = Call("module", "upgrader_store.check_room", nodes)
    return (*common_gates(nodes, facts), work("tidy-up", "tidy up", call, "it only looks", READY))


TIDY = stages.StageRow("control-plane", "tidy", "tidy up", tidy)


def test_new_stage_is_one_row(command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "STAGES", (*stages.STAGES, TIDY))
    assert "[test-upgrade|real-upgrade|rollback|finish|tidy]" in command("control-plane", "--help").out.replace(
        "\n", ""
    )
    assert "tidy-up" in command("plan", "control-plane", "--stage", "tidy").out
    assert command("control-plane", "--stage", "tidy").code == 0
    assert "upgrader_store.check_room" in salt.submitted
    assert "(tidy of cloud lab): finished" in command("status").out


def test_stage_waits_for_those_that_it_requires(
    command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(stages, "STAGES", (*stages.STAGES, replace(TIDY, requires=("test-upgrade",))))
    ran = command("control-plane", "--stage", "tidy")
    assert ran.code == 3
    assert "needs that test-upgrade has passed on cloud lab, and it has never run" in ran.err
    good = salt.answer
    salt.answer = lambda call, node: (
        {"return": "ERROR: no", "retcode": 1} if call.function == "upgrader_clone.fill" else good(call, node)
    )
    command("control-plane", "--stage", "test-upgrade")
    assert "and it is failed" in command("control-plane", "--stage", "tidy").err
    salt.answer = good
    assert command("resume").code == 0
    assert command("control-plane", "--stage", "tidy").code == 0


def test_stage_that_asks_is_confirmed_by_the_plans_digest(
    command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(stages, "STAGES", (*stages.STAGES, replace(TIDY, asks=2)))
    ran = command("control-plane", "--stage", "tidy")
    assert ran.code == 2
    assert "control-plane tidy has to be confirmed" in ran.err
    assert salt.submitted == []


def test_unknown_stage_of_an_old_journal_counts_as_one_that_changes_the_world() -> None:
    assert stages.changes_world("control-plane", "stage-of-another-version")
    assert stages.keeps_backup("control-plane", "stage-of-another-version")


@pytest.mark.parametrize(
    ("part", "stage", "changes", "keeps"),
    [
        ("control-plane", "test-upgrade", True, True),
        ("backup", "restore", True, True),
        ("backup", "create", False, False),
        ("backup", "prove", False, False),
        ("backup", "place", False, True),
        ("backup", "prune", False, False),
        ("backup", "hold", True, False),
        ("backup", "back", True, False),
        ("backup", "rejoin", True, False),
    ],
)
def test_which_stages_wait_for_each_other_and_which_need_a_backup(
    part: str, stage: str, changes: bool, keeps: bool
) -> None:
    assert stages.changes_world(part, stage) is changes
    assert stages.keeps_backup(part, stage) is keeps


def test_every_stage_is_in_the_table_once() -> None:
    keys = [(row.part, row.name) for row in stages.STAGES]
    assert len(set(keys)) == len(keys)
    for row in stages.STAGES:
        assert set(row.requires) <= set(stages.stage_names(row.part))


def test_stages_that_classes_are_needed_for_are_stages() -> None:
    assert {need.stage for need in NEEDS} <= set(stages.stage_names("control-plane"))
