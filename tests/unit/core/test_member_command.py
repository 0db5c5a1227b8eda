"""``backup hold``, ``back`` and ``rejoin``: what is asked, what is said of the loss, and how each bad case ends."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.member_world import NODE, OTHER, UUID
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core import test_backup_command as backups
from tests.unit.core.test_backup_command import Command, command, good, salt, states  # noqa: F401
from upgrader.plan.step import Call

HELD = {
    "comment": "kept",
    "changed": True,
    "receipt": {"id": "r", "node": NODE, "galera": {"name": "c", "uuid": UUID, "seqno": 518}},
}
SEQNOS = {OTHER: 900, "dbs02.lab.local": 899}


def well(call: Call, node: str) -> Mapping[str, Any]:
    if call.function == "upgrader_member.hold":
        return {"return": HELD, "retcode": 0}
    if call.function == "upgrader_member.check_other":
        return {"return": {"comment": "", "seqno": SEQNOS[node], "findings": []}, "retcode": 0}
    return good(call, node)


def but(function: str, node: str = "", answer: Mapping[str, Any] | None = None) -> Callable[[Call, str], Any]:
    """All is well but for one function, on one node or on all: it says ``answer``, or nothing."""
    return lambda call, at: answer if call.function == function and node in ("", at) else well(call, at)


def finding(what: str) -> dict[str, Any]:
    return {
        "return": {"findings": [{"severity": "blocker", "subject": NODE, "what": what, "remedy": "mend it"}]},
        "retcode": 0,
    }


@pytest.fixture
def held(command: Command, salt: SaltInMemory) -> str:
    """The run that keeps a member."""
    salt.answer = well
    run = str(json.loads(command("backup", "hold", "-o", "json").out)["run"])
    salt.submitted = []
    return run


def test_hold_back_and_hold_rejoin_end_with_one_sentence_and_zero(
    command: Command, salt: SaltInMemory, held: str
) -> None:
    ran = command("backup", "back", held, "--yes")
    assert ran.code == 0, ran.err
    assert "(back of cloud lab): finished" in ran.out
    again = str(json.loads(command("backup", "hold", "-o", "json").out)["run"])
    ran = command("backup", "rejoin", again, "--yes")
    assert ran.code == 0, ran.err
    assert [stage for stage, state in states(command) if state == "finished"] == ["hold", "back", "hold", "rejoin"]


def test_what_is_given_up_is_said_before_it_is_asked(command: Command, held: str) -> None:
    ran = command("backup", "back", held, "--yes")
    assert f"run {held} kept dbs03 at seqno 518, the others are at 900: 382 events since are given up" in ran.err


def test_others_that_cannot_say_how_far_they_went_stop_nothing(command: Command, salt: SaltInMemory, held: str) -> None:
    said = {"return": {"comment": "", "seqno": -1, "findings": []}, "retcode": 0}
    salt.answer = but("upgrader_member.check_other", "", said)
    ran = command("backup", "back", held, "--yes")
    assert ran.code == 0, ran.err
    assert "how much was written since, nobody can say" in ran.err


@pytest.mark.parametrize(("typed", "code"), [(2, 0), (1, 3), (0, 3)])
def test_going_back_wants_the_run_typed_twice(
    command: Command, salt: SaltInMemory, held: str, monkeypatch: pytest.MonkeyPatch, typed: int, code: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal((held + "\n") * typed + "\n"))
    ran = command("backup", "back", held)
    assert ran.code == code, ran.err
    assert "stops the database servers of dbs01, dbs02 and founds the cluster anew from the member" in ran.err
    assert ("upgrader_member.stop" in salt.submitted) is (code == 0)


@pytest.mark.parametrize("name", ["back", "rejoin"])
def test_without_terminal_and_yes_it_is_usage(command: Command, salt: SaltInMemory, held: str, name: str) -> None:
    assert command("backup", name, held).code == 2
    assert not {"upgrader_member.stop", "upgrader_member.rejoin"} & set(salt.submitted)


def test_run_that_keeps_nothing_is_refused_by_name(command: Command, salt: SaltInMemory) -> None:
    run = backups.run_of(command, "backup", "create")
    ran = command("backup", "back", run, "--yes")
    assert ran.code == 3
    assert f"run {run} (create) keeps no member of the database cluster" in ran.err
    assert "upgrader backup restore ID" in ran.err


def test_hold_that_a_member_refuses_stops_nobody(command: Command, salt: SaltInMemory) -> None:
    salt.answer = but("upgrader_member.check", NODE, finding("dbs03 is Donor/Desynced, not Synced"))
    ran = command("backup", "hold")
    assert ran.code == 3
    assert "dbs03 is Donor/Desynced, not Synced; mend it" in ran.err
    assert "upgrader_member.hold" not in salt.submitted


def test_hold_on_two_members_is_refused_before_anybody_is_asked(command: Command, salt: SaltInMemory) -> None:
    salt.pillar["cfg01.lab.local"]["upgrader"]["nodes"]["database"] = [OTHER, NODE]
    ran = command("backup", "hold")
    assert ran.code == 3
    assert "has 2 member(s) and needs 3" in ran.err
    assert salt.submitted == []


def test_dead_host_of_the_kept_member_names_the_proven_backup(command: Command, salt: SaltInMemory, held: str) -> None:
    salt.answer = lambda call, node: None if node == NODE else well(call, node)
    ran = command("backup", "back", held, "--yes")
    assert ran.code == 3, ran.err
    assert "at step nodes-answer, which is in doubt: dbs03.lab.local" in ran.err
    assert (
        "if the kept member is lost, a proven backup is the way back: 'upgrader backup restore ID --restart'" in ran.err
    )
    assert "upgrader_member.stop" not in salt.submitted


def test_touched_member_is_refused_and_nobody_is_stopped(command: Command, salt: SaltInMemory, held: str) -> None:
    salt.answer = but("upgrader_member.check_back", "", finding("dbs03 was started by somebody"))
    ran = command("backup", "back", held, "--yes")
    assert ran.code == 3
    assert "dbs03 was started by somebody" in ran.err
    assert "nothing was changed" in ran.err
    assert "a proven backup is the way back" in ran.err
    assert "upgrader_member.stop" not in salt.submitted


def test_dead_other_is_refused_and_can_be_left_out(command: Command, salt: SaltInMemory, held: str) -> None:
    salt.answer = lambda call, node: None if node == "dbs02.lab.local" else well(call, node)
    ran = command("backup", "back", held, "--yes")
    assert ran.code == 3
    assert "nobody says" in ran.err
    assert "a dead node that is not the kept member can be left out" in ran.err
    ran = command("backup", "back", held, "--yes", "--restart", "--without", "dbs02")
    assert ran.code == 0, ran.err


def test_member_that_was_added_to_the_model_is_refused_by_name(command: Command, salt: SaltInMemory, held: str) -> None:
    salt.pillar["cfg01.lab.local"]["upgrader"]["nodes"]["database"].append("dbs04.lab.local")
    salt.pillar["dbs04.lab.local"] = salt.pillar[NODE]
    for name in ("back", "rejoin"):
        ran = command("backup", name, held, "--yes")
        assert ran.code == 3
        assert "dbs04.lab.local was added since" in ran.err


def test_founding_that_fails_lets_nobody_join_and_is_resumed(command: Command, salt: SaltInMemory, held: str) -> None:
    salt.answer = but("upgrader_member.found", "", {"return": "ERROR: no", "retcode": 1})
    assert command("backup", "back", held, "--yes").code == 1
    assert "upgrader_restore.join" not in salt.submitted
    salt.answer = well
    salt.submitted = []
    assert command("resume").code == 0
    assert not {"upgrader_member.stop", "upgrader_member.set_aside"} & set(salt.submitted)


def test_node_that_does_not_join_keeps_the_way_back_open(command: Command, salt: SaltInMemory, held: str) -> None:
    """The receipt is closed only when every node is a member: until then the run can be gone on with."""
    salt.answer = but("upgrader_restore.join", OTHER, {"return": "ERROR: does not join", "retcode": 1})
    ran = command("backup", "back", held, "--yes")
    assert ran.code == 1
    assert "at step member-join-dbs01, which failed" in ran.err
    assert salt.submitted.count("upgrader_restore.join") == 2
    assert "upgrader_member.verify" in salt.submitted


def test_unfinished_run_stands_in_the_way_until_it_is_left_behind(
    command: Command, salt: SaltInMemory, held: str
) -> None:
    salt.answer = but("upgrader_clone.fill", "", {"return": "ERROR: no", "retcode": 1})
    command(*backups.STAGE)
    assert command("backup", "back", held, "--yes").code == 4
    assert command("backup", "back", held, "--yes", "--restart").code == 0
