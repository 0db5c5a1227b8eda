"""The backup commands, and which unfinished run stands in the way of what."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.clouds import lab_pillar
from tests.support.command import Command, Ran, command_in  # noqa: F401
from tests.support.salt_in_memory import SaltInMemory, named
from upgrader.cli import settings as cli_settings
from upgrader.journal.archive import Archive
from upgrader.plan.step import Call
from upgrader.transport import base

STAGE = ("control-plane", "--stage", "test-upgrade")
RESTORE = ("backup", "restore", "b1", "--yes")
RECEIPT = {
    "id": "b1",
    "node": "dbs01.lab.local",
    "bytes": 1316606,
    "sha256": "0" * 64,
    "taken_at": "2017-08-01T10:15:00Z",
    "proven": "2017-08-01T10:16:00Z",
    "galera": {"name": "c", "uuid": "u", "seqno": 518},
}
ANSWERS: dict[str, Any] = {
    "upgrader_store.receipts": [{**RECEIPT, "id": "b2", "taken_at": "2017-08-02", "proven": False}, RECEIPT],
    "upgrader_store.verify": RECEIPT,
    "upgrader_store.require_proven": {"comment": "proven", "receipt": RECEIPT},
    "upgrader_store.prune": {"comment": "", "removed": ["b0"], "kept": ["b1", "b2"], "changed": True},
    "upgrader_restore.intended": {"actions": ["rename /var/lib/mysql to /var/lib/mysql.before-RUN"]},
}
FAST = {"tick": 0.0, "probe_every": 0.0, "silence": 0.05, "grace": 0.01}


def good(call: Call, node: str) -> Mapping[str, Any]:
    if call.kind == "state":
        return {"return": {"a": {"result": True}}, "retcode": 0}
    return {
        "return": ANSWERS.get(call.function, {"counts": {}, "load": 1.0, "exports": {}, "logical": []}),
        "retcode": 0,
    }


def failing(function: str) -> Callable[[Call, str], Mapping[str, Any]]:
    def answer(call: Call, node: str) -> Mapping[str, Any]:
        return {"return": "ERROR: no", "retcode": 1} if named(call) == function else good(call, node)

    return answer


@pytest.fixture
def salt(monkeypatch: pytest.MonkeyPatch) -> SaltInMemory:
    salt = SaltInMemory(good, lab_pillar())
    monkeypatch.setattr(cli_settings.Settings, "transport", lambda self: salt)
    monkeypatch.setattr(base.Patience, "__init__", lambda self: object.__setattr__(self, "__dict__", FAST))
    return salt


@pytest.fixture
def command(
    salt: SaltInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return command_in(tmp_path, monkeypatch, capsys)


def states(command: Command) -> list[tuple[str, str]]:
    return [(run["stage"], run["state"]) for run in json.loads(command("history", "-o", "json").out)["runs"]]


@pytest.mark.parametrize("words", [("create",), ("prove", "b1"), ("place", "b1"), ("restore", "b1", "--yes")])
def test_stages_end_with_one_sentence_and_zero(command: Command, words: tuple[str, ...]) -> None:
    ran = command("backup", *words)
    assert ran.code == 0, ran.err
    assert ran.out.count("\n") == 1
    assert f"({words[0]} of cloud lab): finished" in ran.out


def test_list_is_a_table_newest_last(command: Command) -> None:
    ran = command("backup", "list")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["b1", "b2"]
    assert "1.3 MB" in lines[2]
    assert "518" in lines[2]
    assert lines[3].endswith("no")
    document = json.loads(command("backup", "list", "-o", "json").out)
    assert document["schema"] == "upgrader.backups/1"
    assert [backup["id"] for backup in document["backups"]] == ["b1", "b2"]


def test_reading_commands_leave_no_journal_and_ask_the_backup_node_only(
    command: Command, salt: SaltInMemory, tmp_path: Path
) -> None:
    for words in (("list",), ("verify", "b1"), ("prune", "--dry-run")):
        assert command("backup", *words).code == 0
    assert not list(tmp_path.rglob("*.jsonl"))
    assert {node for call, _ in salt.jobs.values() for node in call.nodes} == {"cfg01.lab.local"}


def test_verify_says_what_was_compared_and_a_difference_is_refused(command: Command, salt: SaltInMemory) -> None:
    assert "1316606 bytes" in command("backup", "verify", "b1").out
    assert json.loads(command("backup", "verify", "b1", "-o", "json").out)["intact"] is True
    salt.answer = failing("upgrader_store.verify")
    ran = command("backup", "verify", "b1")
    assert ran.code == 3
    assert "cfg01.lab.local: no" in ran.err


def test_dry_run_shows_plan_and_actions_and_submits_nothing_that_changes(
    command: Command, salt: SaltInMemory, tmp_path: Path
) -> None:
    ran = command("backup", "restore", "b1", "--dry-run")
    assert ran.code == 0, ran.err
    assert "restore-swap" in ran.out
    assert "1. rename /var/lib/mysql to /var/lib/mysql.before-RUN" in ran.out
    assert set(salt.submitted) == {
        "upgrader_node.modules_current",
        "upgrader_node.pillar_current",
        "upgrader_store.require_proven",
        "upgrader_restore.check",
        "upgrader_restore.intended",
    }
    assert not list(tmp_path.rglob("*.jsonl"))
    document = json.loads(command("backup", "restore", "b1", "--dry-run", "-o", "json").out)
    assert document["schema"] == "upgrader.restore-dry-run/1"
    assert document["refused"] is False


def test_dry_run_that_would_be_refused_is_three_and_still_shows_all(
    command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = {"severity": "blocker", "subject": "dbs01", "what": "dbs01 is too small", "remedy": "make room"}
    monkeypatch.setitem(ANSWERS, "upgrader_restore.check", {"findings": [finding]})
    ran = command("backup", "restore", "b1", "--dry-run")
    assert ran.code == 3
    assert "dbs01 is too small; make room" in ran.err
    assert "mysql.before-RUN" in ran.out


def test_restore_without_terminal_and_yes_is_usage(command: Command, salt: SaltInMemory) -> None:
    ran = command("backup", "restore", "b1")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert salt.submitted == []


@pytest.mark.parametrize(("typed", "code"), [("b1", 0), ("b2", 3), ("", 3)])
def test_restore_on_a_terminal_wants_the_id_typed(
    command: Command, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed + "\n"))
    ran = command("backup", "restore", "b1")
    assert ran.code == code, ran.err
    assert "puts them back to backup b1" in ran.err


def test_restore_needs_an_exact_id(command: Command) -> None:
    assert command("backup", "restore", "--yes").code == 2


def test_refused_receipt_stops_before_any_database_server(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_store.require_proven")
    assert command(*RESTORE).code == 3
    assert "upgrader_restore.stop" not in salt.submitted


def test_node_that_fails_to_join_stops_nobody_else_and_is_verified(command: Command, salt: SaltInMemory) -> None:
    salt.answer = lambda call, node: (
        {"return": "ERROR: does not join", "retcode": 1}
        if call.function == "upgrader_restore.join" and node.startswith("dbs02")
        else good(call, node)
    )
    ran = command(*RESTORE)
    assert ran.code == 1
    assert "at step restore-join-dbs02, which failed: dbs02.lab.local: does not join" in ran.err
    assert salt.submitted.count("upgrader_restore.join") == 2
    assert salt.submitted.count("upgrader_restore.verify") == 1


def test_servers_that_do_not_stop_are_not_swapped(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_restore.stop")
    assert command(*RESTORE).code == 1
    assert "upgrader_restore.swap" not in salt.submitted
    assert "upgrader_restore.verify" not in salt.submitted


def test_finished_backup_does_not_hide_an_unfinished_stage(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_schema.phase nova db-newton")
    assert command(*STAGE).code == 1
    assert command("backup", "create").code == 0
    ran = command(*STAGE)
    assert ran.code == 4
    assert "(test-upgrade) of cloud lab stopped at step nova-db-newton" in ran.err
    assert command(*RESTORE).code == 4


def test_backup_runs_are_allowed_beside_an_unfinished_stage(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_restore.found")
    command(*RESTORE)
    for words in (("create",), ("prove", "b1"), ("place", "b1")):
        assert command("backup", *words).code == 0
    assert ("restore", "failed") in states(command)


def test_restart_of_a_restore_leaves_the_unfinished_stage_behind(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_restore.found")
    command(*RESTORE)
    command("backup", "create")
    salt.answer = good
    assert command(*RESTORE, "--restart").code == 0
    assert states(command) == [("restore", "abandoned"), ("create", "finished"), ("restore", "finished")]


def test_status_and_resume_mean_the_newest_unfinished_run(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_restore.found")
    command(*RESTORE)
    command("backup", "create")
    assert json.loads(command("status", "-o", "json").out)["stage"] == "restore"
    salt.answer = good
    assert json.loads(command("resume", "-o", "json").out)["stage"] == "restore"
    assert json.loads(command("status", "-o", "json").out)["stage"] == "create"


def test_new_backup_leaves_a_failed_one_behind(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_backup.create")
    assert command("backup", "create").code == 1
    salt.answer = good
    assert command("backup", "create").code == 0
    assert states(command) == [("create", "abandoned"), ("create", "finished")]


def test_failed_backup_does_not_stand_in_the_way_of_a_stage(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_backup.create")
    assert command("backup", "create").code == 1
    salt.answer = good
    assert command(*RESTORE).code == 0


def protected(command: Command) -> list[str]:
    ran = command("backup", "prune", "--dry-run", "-o", "json")
    assert ran.code == 0, ran.err
    return list(json.loads(ran.out)["protected"])


def run_of(command: Command, *words: str) -> str:
    return str(json.loads(command(*words, "-o", "json").out)["run"])


def test_prune_keeps_what_runs_stand_on_and_not_what_only_a_backup_made(command: Command, salt: SaltInMemory) -> None:
    stage = run_of(command, *STAGE)
    made = run_of(command, "backup", "create")
    command(*RESTORE)
    command("backup", "prove", "b7")
    ran = command("backup", "prune", "--keep", "3", "--dry-run", "-o", "json")
    assert ran.code == 0, ran.err
    asked = next(call.args for call, _ in salt.jobs.values() if call.function == "upgrader_store.prune")
    assert asked == {"keep": 3, "protected": sorted([stage, "b1"]), "dry_run": True}
    assert made not in asked["protected"]
    assert json.loads(ran.out)["removed"] == ["b0"]


def test_backup_of_a_rehearsal_is_kept_while_it_may_be_gone_on_with_and_not_when_it_is_left_behind(
    command: Command, salt: SaltInMemory
) -> None:
    salt.answer = failing("upgrader_clone.fill")
    stopped = run_of(command, *STAGE)
    assert protected(command) == [stopped]
    again = run_of(command, *STAGE, "--restart")
    assert protected(command) == [again]


def test_runs_of_the_same_second_sort_as_they_were_started() -> None:
    """ "The newest run" is the last by id: of two gates that failed within a second the second one is meant."""
    made = []
    for _ in range(20):
        made.append(cli_settings.new_run_id())
        until = time.perf_counter() + 0.0001
        while time.perf_counter() < until:
            pass
    assert made == sorted(made)


def test_only_the_newest_finished_rehearsal_keeps_its_backup(command: Command, salt: SaltInMemory) -> None:
    run_of(command, *STAGE)
    newest = run_of(command, *STAGE)
    assert protected(command) == [newest]
    salt.answer = failing("upgrader_clone.fill")
    stopped = run_of(command, *STAGE)
    assert protected(command) == sorted([newest, stopped])


def test_prune_is_a_run_with_a_journal_and_says_what_it_removed(
    command: Command, salt: SaltInMemory, tmp_path: Path
) -> None:
    stage = run_of(command, *STAGE)
    ran = command("backup", "prune", "--keep", "2", "-o", "json")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert (said["schema"], said["removed"], said["protected"]) == ("upgrader.prune/1", ["b0"], [stage])
    journal = (tmp_path / "lab" / "runs" / f"{said['run']}.jsonl").read_text()
    assert '"removed":["b0"]' in journal
    asked = next(call.args for call, _ in salt.jobs.values() if call.function == "upgrader_store.prune")
    assert asked == {"keep": 2, "protected": [stage], "dry_run": False}
    assert "removed: b0" in command("backup", "prune").out
    assert ("prune", "finished") in states(command)


def test_prune_waits_for_the_run_that_may_need_a_backup(command: Command, salt: SaltInMemory, tmp_path: Path) -> None:
    with Archive(tmp_path).lock("lab", "bob@cfg01"):
        ran = command("backup", "prune")
    assert ran.code == 4
    assert "locked" in ran.err
    assert "upgrader_store.prune" not in salt.submitted


def test_prune_that_fails_says_so(command: Command, salt: SaltInMemory) -> None:
    salt.answer = failing("upgrader_store.prune")
    ran = command("backup", "prune")
    assert ran.code == 1
    assert "at step prune, which failed" in ran.err


def test_prune_goes_beside_a_run_that_stands_half_way_and_does_not_hide_it(
    command: Command, salt: SaltInMemory
) -> None:
    salt.answer = failing("upgrader_restore.found")
    command(*RESTORE)
    assert command("backup", "prune").code == 0
    assert json.loads(command("status", "-o", "json").out)["stage"] == "restore"


def test_prune_trusts_no_damaged_journal(command: Command, salt: SaltInMemory, tmp_path: Path) -> None:
    command(*RESTORE)
    journal = next(tmp_path.rglob("*.jsonl"))
    journal.write_text(journal.read_text().replace("restore-swap", "restore-swop", 1))
    assert command("backup", "prune").code == 4
    assert "upgrader_store.prune" not in salt.submitted


def test_prune_keeps_at_least_one(command: Command) -> None:
    assert command("backup", "prune", "--keep", "0").code == 2


@pytest.mark.parametrize(
    "name", ["create", "list", "verify", "prove", "place", "restore", "prune", "hold", "back", "rejoin"]
)
def test_every_command_has_help(command: Command, name: str) -> None:
    ran = command("backup", name, "--help")
    assert ran.code == 0
    assert "Usage" in ran.out
