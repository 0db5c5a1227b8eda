"""Approvals: asked for, decided by somebody else, used once for exactly that plan while it holds."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401
from tests.unit.core.test_control_command import cloud, rehearsed, stage  # noqa: F401
from upgrader.cli import carrying_out, plans, runs
from upgrader.cli.settings import utc_now
from upgrader.cli.surface import hooks
from upgrader.config import files
from upgrader.errors import Refused
from upgrader.journal.approvals import APPROVED, REJECTED, Approval, Approvals

REAL = ("control-plane", "--stage", "real-upgrade", "--wait")


@pytest.fixture
def digest(rehearsed: None, command: Command, salt: SaltInMemory) -> str:
    """A real upgrade that waits."""
    ran = command(*REAL)
    assert ran.code == 6
    assert "waits for approval until" in ran.err
    assert not salt.submitted
    found = re.search(r"'upgrader approve ([0-9a-f]{12})'", ran.err)
    assert found
    return found.group(1)


def at(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    for module in (runs, plans, hooks, carrying_out):
        monkeypatch.setattr(module, "utc_now", lambda: time)


def test_approved_plan_runs_without_a_question_and_the_journal_names_both(
    digest: str, command: Command, tmp_path: Path
) -> None:
    ran = command("approve", digest, "--by", "alice")
    assert ran.code == 0
    assert "is approved by alice until" in ran.out
    done = command("apply", digest)
    assert done.code == 0, done.err
    journal = max((tmp_path / "lab" / "runs").glob("*.jsonl"))
    first = json.loads(journal.read_text().splitlines()[0])
    assert (first["approval"]["by"], first["approval"]["digest"]) == ("alice", first["digest"])
    assert first["approval"]["asked_by"]
    report = command("report", "-o", "md").out
    assert "* **approved**: by alice at " in report


def test_plan_that_waits_does_not_run(digest: str, command: Command, salt: SaltInMemory) -> None:
    ran = command("apply", digest)
    assert ran.code == 6
    assert f"'upgrader approve {digest}', then 'upgrader apply {digest}'" in ran.err
    assert not salt.submitted


def test_rejected_plan_does_not_run_not_even_with_yes(digest: str, command: Command, salt: SaltInMemory) -> None:
    assert command("reject", digest).code == 2
    assert command("reject", digest, "--reason", "not tonight", "--by", "bob").code == 0
    ran = command("apply", digest, "--yes")
    assert ran.code == 3
    assert "was rejected by bob" in ran.err and "not tonight" in ran.err
    assert not salt.submitted
    assert "was rejected by bob" in command("approve", digest).err


@pytest.mark.parametrize("approved", [True, False])
def test_approval_holds_for_two_hours(
    digest: str, command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch, approved: bool
) -> None:
    if approved:
        assert command("approve", digest).code == 0
    at(monkeypatch, "2099-01-01T00:00:00.000+00:00")
    ran = command("apply", digest)
    assert ran.code == 6
    assert "expired" in ran.err and "ask again with --wait" in ran.err
    assert command("approve", digest).code == 3
    assert not salt.submitted


def test_approval_is_void_when_the_model_changed(digest: str, command: Command, salt: SaltInMemory) -> None:
    assert command("approve", digest).code == 0
    salt.pillar["upg01.lab.local"]["nova"]["controller"]["workers"] = 8
    ran = command("apply", digest)
    assert ran.code == 3
    assert "pillar of upg01.lab.local (nova) changed" in ran.err
    assert not salt.submitted


def test_asking_again_takes_an_approval_back(digest: str, command: Command) -> None:
    assert command("approve", digest).code == 0
    assert command(*REAL).code == 6
    assert command("apply", digest).code == 6


def test_digest_that_nobody_asked_about_is_usage(digest: str, command: Command) -> None:
    ran = command("approve", "0123456789ab")
    assert ran.code == 2
    assert f"asked for: {digest}" in ran.err


def test_of_two_who_decide_at_the_same_moment_one_hears_of_the_other(
    digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read that nobody has decided before either writes, were they not kept apart."""
    write = Approvals._write

    def slowly(of: Approvals, approval: Approval) -> Approval:
        time.sleep(0.2)
        return write(of, approval)

    monkeypatch.setattr(Approvals, "_write", slowly)

    def decides(decision: str) -> str:
        try:
            return Approvals(tmp_path).decide(digest, decision, f"who {decision}", utc_now()).decision
        except Refused as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(decides, (APPROVED, REJECTED)), key=len)
    assert said[0] in (APPROVED, REJECTED)
    assert f"was {said[0]} by who {said[0]}" in said[1]


def test_files_of_configuration_that_break_meanwhile_change_nothing_of_what_was_done(
    digest: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("approve", digest)
    broken = tmp_path / "upgrader.yaml"
    monkeypatch.setattr(files, "places", lambda: (broken,))
    carried_out = runs.execute

    def breaks(*words: Any, **more: Any) -> None:
        broken.write_text("hocks: []\n")
        carried_out(*words, **more)

    monkeypatch.setattr(runs, "execute", breaks)
    done = command("apply", digest)
    assert done.code == 0, done.err
    assert f"no hook is told of this: {broken} has key 'hocks'" in done.err
    assert "finished, all" in done.out
