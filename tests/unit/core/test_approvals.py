"""Approvals: asked for, decided by somebody else, used once for exactly that plan while it holds."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401
from tests.unit.core.test_control_command import cloud, rehearsed, stage  # noqa: F401
from upgrader.cli import carrying_out, control, runs

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
    for module in (runs, control, carrying_out):
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
