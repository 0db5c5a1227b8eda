"""What the runs of the data plane say of a cloud, run after run: who is upgraded, who was taken back, what the controllers know."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.progress import RunProgress, read_progress
from upgrader.journal.rollouts import CLOSED, UPGRADE, rollouts
from upgrader.plan.step import Call, Plan, Stage, Step

TAKEN_BACK = "upgrader_package.restore"
PACKAGES = Step("packages", "t", Call("module", UPGRADE, ("cmp001", "cmp002"), {"run": "t1"}), batch=1)
BACK = Step("packages", "t", Call("module", TAKEN_BACK, ("cmp002",), {"run": "t1"}), batch=1)
TOLD = Step(CLOSED, "t", Call("module", "upgrader_agents.closed", ("ctl01",)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def run(folder: Path, stage: str, steps: Iterable[Step], done: Iterable[str]) -> RunProgress:
    plan = Plan("lab", "mitaka", "ocata", "data-plane", (Stage(stage, "t", tuple(steps)),))
    journal = Journal.create(folder / f"{stage}.jsonl")
    journal.append("run-started", "t", run=stage, plan=plan.to_json(), digest=plan.digest, operator="me")
    for step in done:
        journal.append("step-stamped", "t", step=step, reason="by hand")
    return read_progress(read_journal(folder / f"{stage}.jsonl"))


def test_controllers_know_that_no_compute_is_left_only_when_they_were_told(folder: Path) -> None:
    assert not rollouts([run(folder, "all", (PACKAGES, TOLD), ("packages",))]).closed
    assert rollouts([run(folder / "2", "all", (PACKAGES, TOLD), ("packages", CLOSED))]).closed


def test_way_back_of_one_compute_opens_again_what_was_closed(folder: Path) -> None:
    there = run(folder, "all", (PACKAGES, TOLD), ("packages", CLOSED))
    back = run(folder, "rollback", (BACK,), ("packages",))
    past = rollouts([there, back])
    assert past.upgraded == {"cmp001": "all"}
    assert past.closed is False


def test_way_back_that_came_to_no_node_changes_nothing(folder: Path) -> None:
    there = run(folder, "all", (PACKAGES, TOLD), ("packages", CLOSED))
    past = rollouts([there, run(folder, "rollback", (BACK,), ())])
    assert set(past.upgraded) == {"cmp001", "cmp002"}
    assert past.closed
