"""What the runs of the data plane say of a cloud, run after run: who is upgraded, who was taken back, what the controllers know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.progress import RunProgress, read_progress
from upgrader.journal.rollouts import CLOSED, DIFFERENCE, DISABLE, ENABLE, RECORD, UPGRADE, Shown, begun_nodes, rollouts
from upgrader.plan.step import Call, Plan, Stage, Step

Answered = Mapping[str, Mapping[str, Any]]
TAKEN_BACK = "upgrader_package.restore"
PACKAGES = Step("packages", "t", Call("module", UPGRADE, ("cmp001", "cmp002"), {"run": "t1"}), batch=1)
BACK = Step("packages", "t", Call("module", TAKEN_BACK, ("cmp002",), {"run": "t1"}), batch=1)
OUT = Step("disable", "t", Call("module", DISABLE, ("ctl01",)), batch=1, about=("cmp001", "cmp002"))
IN = Step("enable", "t", Call("module", ENABLE, ("ctl01",)), batch=1, about=OUT.about, needs=("disable",), always=True)
TOLD = Step(CLOSED, "t", Call("module", "upgrader_agents.closed", ("ctl01",)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def run(
    folder: Path,
    stage: str,
    steps: Iterable[Step],
    done: Iterable[str],
    answered: Answered | None = None,
    ended: bool = False,
) -> RunProgress:
    """A run whose steps were stamped, or answered node by node (None: the node failed)."""
    plan = Plan("lab", "mitaka", "ocata", "data-plane", (Stage(stage, "t", tuple(steps)),))
    journal = Journal.create(folder / f"{stage}.jsonl")
    journal.append("run-started", "t", run=stage, plan=plan.to_json(), digest=plan.digest, operator="me")
    for step in done:
        journal.append("step-stamped", "t", step=step, reason="by hand")
    for step, replies in (answered or {}).items():
        journal.append("step-started", "t", step=step, jid="1", args={}, nodes=list(replies), settled=[], doubtful=[])
        told = {
            node: {"node": node, "ok": value is not None, "value": value, "error": ""}
            for node, value in replies.items()
        }
        ok = all(reply["ok"] for reply in told.values())
        journal.append("step-finished", "t", step=step, jid="1", ok=ok, seconds=0, replies=told, reason="", left_out=[])
    if ended:
        journal.append("run-finished", "t", ok=True, failed=[], reason="", refused=False)
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


def test_node_that_failed_in_its_batch_is_not_upgraded_and_may_be_taken_back(folder: Path) -> None:
    failed = run(folder, "all", (PACKAGES,), (), {"packages": {"cmp001": {}, "cmp002": None}})
    assert rollouts([failed]).upgraded == {"cmp001": "all"}
    assert begun_nodes(failed) == {"cmp001": "t1", "cmp002": "t1"}


def test_what_a_node_showed_and_where_its_sources_are_kept_counts_until_it_is_upgraded(folder: Path) -> None:
    kept = Step("kept", "t", Call("module", RECORD, ("cmp001", "cmp002")), batch=1)
    shown = Step("difference", "t", Call("module", DIFFERENCE, ("cmp001", "cmp002"), {"include": ["kernel"]}), batch=1)
    said = {"cmp001": {"digest": "d1"}, "cmp002": {"digest": ""}}
    tested = run(folder, "test", (kept, shown), ("kept",), {"difference": said})
    past = rollouts([tested])
    assert past.shown == {"cmp001": Shown("test", "d1", ("kernel",))}, "who showed nothing was not seen"
    assert past.kept == {"cmp001": "test", "cmp002": "test"}
    again = rollouts([tested, run(folder / "2", "test", (kept,), ("kept",))])
    assert set(again.kept.values()) == {"test"}
    after = rollouts([tested, run(folder, "all", (PACKAGES,), (), {"packages": {"cmp001": {}, "cmp002": None}})])
    assert after.shown == {} and after.kept == {"cmp002": "test"}


def test_sample_counts_when_it_has_finished(folder: Path) -> None:
    assert rollouts([run(folder, "sample", (PACKAGES,), ("packages",), ended=False)]).sampled is None
    finished = run(folder / "2", "sample", (PACKAGES,), ("packages",), ended=True)
    assert rollouts([finished, run(folder, "all", (PACKAGES,), ("packages",), ended=True)]).sampled is finished


def test_hosts_are_out_of_service_until_a_step_has_put_them_back(folder: Path) -> None:
    done = {"disable": {"ctl01": {}}}
    cut = run(folder, "all", (OUT, IN), (), done)
    assert rollouts([cut]).cut == {"cmp001": "all", "cmp002": "all"}
    back = run(folder, "rollback", (OUT, IN), (), {**done, "enable": {"ctl01": {}}})
    assert rollouts([cut, back]).cut == {}
    assert rollouts([run(folder / "2", "all", (OUT, IN), ())]).cut == {}, "nobody was taken out"
