"""``control-plane --stage real-upgrade, rollback, finish``: what is demanded before, what is said, and how each bad case ends."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.clouds import CTL, DATABASES, KVM, real_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, Ran, command, salt  # noqa: F401
from upgrader.plan.step import Call

THIRD = DATABASES[2]
GALERA = {"name": "c", "uuid": "u", "seqno": 518}
RECEIPT = {"node": KVM, "domain": CTL, "run": "r", "state": "kept", "disks": []}
LOSS = {
    "created": {"instances": [{"id": "1", "name": "web-new", "host": "cmp001"}], "volumes": []},
    "deleted": {"images": [{"id": "2", "name": "old-image"}]},
    "file": "/var/lib/upgrader/objects/r.loss.json",
}
ANSWERS: Mapping[str, Any] = {
    "upgrader_member.hold": {"receipt": {"id": "r", "node": THIRD, "galera": GALERA}},
    "upgrader_disk.prepare": {"minion_key": "KEY", "seed": "", "disk": {}},
    "upgrader_disk.keep": {"receipt": RECEIPT},
    "upgrader_production.loss": LOSS,
}


def well(call: Call, node: str) -> Mapping[str, Any]:
    usual: Any = (
        {"a": {"result": True}} if call.kind == "state" else {"counts": {}, "load": 1.0, "exports": {}, "logical": []}
    )
    return {"return": ANSWERS.get(call.function, usual), "retcode": 0}


def but(function: str, answer: Mapping[str, Any] | None = None) -> Callable[[Call, str], Any]:
    """All is well but for one function: it fails, or says ``answer``."""
    failed = {"return": "ERROR: no", "retcode": 1}
    return lambda call, node: (answer or failed) if call.function == function else well(call, node)


@pytest.fixture(autouse=True)
def cloud(salt: SaltInMemory) -> None:
    salt.pillar = real_pillar()
    salt.answer = well


@pytest.fixture
def stage(command: Command) -> Callable[..., Ran]:
    return lambda name, *words: command("control-plane", "--stage", name, "--yes", *words)


Stage = Callable[..., Ran]


@pytest.fixture
def rehearsed(stage: Stage, salt: SaltInMemory) -> None:
    assert stage("test-upgrade").code == 0
    salt.submitted.clear()


@pytest.fixture
def upgraded(rehearsed: None, stage: Stage, salt: SaltInMemory) -> str:
    """The run of a real upgrade that went through."""
    run = str(json.loads(stage("real-upgrade", "-o", "json").out)["run"])
    salt.submitted.clear()
    return run


def test_whole_way_forward_back_and_forward_again_and_to_the_end(
    upgraded: str, stage: Stage, salt: SaltInMemory
) -> None:
    back = stage("rollback")
    assert back.code == 0, back.err
    assert "upgrader_member.found" in salt.submitted
    again = json.loads(stage("real-upgrade", "-o", "json").out)
    assert again["run"] != upgraded
    assert stage("finish").code == 0
    assert "upgrader_disk.discard" in salt.submitted


def test_real_upgrade_wants_a_rehearsal_that_passed(stage: Stage, salt: SaltInMemory) -> None:
    ran = stage("real-upgrade")
    assert ran.code == 3
    assert "needs that test-upgrade has passed on cloud lab, and it has never run" in ran.err
    assert not salt.submitted


def test_rehearsal_of_another_model_proves_nothing(rehearsed: None, stage: Stage, salt: SaltInMemory) -> None:
    salt.pillar["upg01.lab.local"]["nova"]["controller"]["scheduler_default_filters"] = "AllHosts"
    ran = stage("real-upgrade")
    assert ran.code == 3
    assert "proved something else, for since then pillar of upg01.lab.local (nova) changed" in ran.err
    assert not salt.submitted


def test_model_of_the_controllers_may_be_switched_behind_the_rehearsal(
    rehearsed: None, stage: Stage, salt: SaltInMemory
) -> None:
    salt.pillar[CTL]["nova"]["controller"]["workers"] = 8
    salt.pillar[KVM]["upgrader"]["machines"]["size"] = 9000
    assert stage("real-upgrade").code == 0


def test_rehearsal_holds_for_two_weeks(
    rehearsed: None, stage: Stage, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upgrader.cli import runs

    monkeypatch.setattr(runs, "utc_now", lambda: "2099-01-01T00:00:00Z")
    ran = stage("real-upgrade")
    assert ran.code == 3
    assert "days old, 14 are allowed" in ran.err
    assert not salt.submitted


def test_stages_that_change_production_ask_where_nobody_said_yes(
    rehearsed: None, command: Command, salt: SaltInMemory
) -> None:
    ran = command("control-plane", "--stage", "real-upgrade")
    assert ran.code == 2
    assert "Nobody can use the APIs while this runs" in ran.err
    assert "give --yes" in ran.err
    assert not salt.submitted


def test_way_back_says_by_name_what_is_lost_before_it_asks(upgraded: str, command: Command, salt: SaltInMemory) -> None:
    ran = command("control-plane", "--stage", "rollback")
    assert ran.code == 2
    assert "instances created since, which is lost: web-new" in ran.err
    assert "images deleted since, which comes back: old-image" in ran.err
    assert "/var/lib/upgrader/objects/r.loss.json" in ran.err
    assert "upgrader_vm.stop" not in salt.submitted


def test_way_back_goes_on_where_nobody_can_say_what_is_lost(
    upgraded: str, command: Command, salt: SaltInMemory
) -> None:
    salt.answer = but("upgrader_production.loss")
    ran = command("control-plane", "--stage", "rollback")
    assert "nobody can say" in ran.err


def test_way_back_leaves_the_unfinished_run_behind_by_itself(
    rehearsed: None, command: Command, stage: Stage, salt: SaltInMemory
) -> None:
    salt.answer = but("upgrader_schema.verify")
    broken = stage("real-upgrade", "-o", "json")
    assert broken.code == 1
    run = json.loads(broken.out)["run"]
    salt.answer = well
    back = stage("rollback")
    assert back.code == 0, back.err
    assert "(real-upgrade of cloud lab): left behind" in command("status", run).out


def test_failure_in_production_offers_resume_and_the_way_back(
    rehearsed: None, stage: Stage, salt: SaltInMemory
) -> None:
    salt.answer = but("upgrader_schema.verify")
    ran = stage("real-upgrade")
    assert "upgrader resume" in ran.err
    assert "control-plane --stage rollback" in ran.err
    assert "--restart" not in ran.err


def test_unfinished_real_upgrade_keeps_a_second_one_out(rehearsed: None, stage: Stage, salt: SaltInMemory) -> None:
    salt.answer = but("upgrader_key.wait")
    assert stage("real-upgrade").code == 1
    ran = stage("real-upgrade")
    assert ran.code == 4
    assert "stopped at step machine-registered" in ran.err


def test_way_back_stands_on_the_journals_receipts(upgraded: str, command: Command) -> None:
    plan = json.loads(command("plan", "control-plane", "--stage", "rollback", "-o", "json").out)
    steps = {step["id"]: step["call"]["args"] for one in plan["plan"]["stages"] for step in one["steps"]}
    assert steps["machine-back-ctl01"] == {"name": CTL, "run": upgraded, "receipt": RECEIPT}
    assert steps["member-found"]["kept"]["id"] == upgraded
    assert steps["machine-keys-back"] == {"run": upgraded, "nodes": [CTL]}


def test_way_back_of_a_run_that_kept_nothing_yet_touches_no_database(
    rehearsed: None, stage: Stage, salt: SaltInMemory
) -> None:
    salt.answer = but("upgrader_window.stop")
    assert stage("real-upgrade").code == 1
    salt.answer = well
    salt.submitted.clear()
    assert stage("rollback").code == 0
    assert not [one for one in salt.submitted if one.startswith("upgrader_member")]
    assert "upgrader_key.restore" not in salt.submitted


def test_run_that_never_opened_its_window_stops_no_machine_for_a_way_back(
    rehearsed: None, stage: Stage, salt: SaltInMemory
) -> None:
    salt.answer = but("upgrader_disk.prepare")
    broken = stage("real-upgrade")
    assert broken.code == 1
    assert "upgrader resume" in broken.err and "--stage rollback" not in broken.err
    salt.answer = well
    salt.submitted.clear()
    ran = stage("rollback")
    assert ran.code == 3
    assert "stopped before its window, and production was not touched" in ran.err
    assert not salt.submitted


def test_run_that_stopped_while_a_member_was_being_kept_is_resumed_first(
    rehearsed: None, stage: Stage, salt: SaltInMemory
) -> None:
    salt.answer = but("upgrader_member.hold")
    assert stage("real-upgrade").code == 1
    ran = stage("rollback")
    assert ran.code == 3
    assert "stopped while a database member was being kept" in ran.err


def test_what_was_taken_back_is_not_taken_back_again(upgraded: str, stage: Stage, salt: SaltInMemory) -> None:
    assert stage("rollback").code == 0
    salt.submitted.clear()
    ran = stage("rollback")
    assert ran.code == 3
    assert f"run {upgraded} was taken back by run" in ran.err
    assert not salt.submitted


@pytest.mark.parametrize("name", ["rollback", "finish"])
def test_stage_about_a_run_says_when_there_is_none(rehearsed: None, stage: Stage, name: str) -> None:
    ran = stage(name)
    assert ran.code == 2
    assert "no run of real-upgrade has changed anything yet" in ran.err


def test_run_of_another_stage_is_refused(rehearsed: None, command: Command, stage: Stage) -> None:
    run = json.loads(command("status", "-o", "json").out)["run"]
    assert (
        f"run {run} is of test-upgrade, and rollback is about one of real-upgrade"
        in stage("rollback", "--run", run).err
    )
    assert "--run is for rollback and finish; test-upgrade has no use for it" in stage("test-upgrade", "--run", run).err


def test_last_word_wants_a_real_upgrade_that_finished(rehearsed: None, stage: Stage, salt: SaltInMemory) -> None:
    salt.answer = but("upgrader_verify.calls", None)
    assert stage("real-upgrade").code == 1
    salt.answer = well
    ran = stage("finish")
    assert ran.code == 3
    assert "needs that real-upgrade has passed" in ran.err


def test_wrong_word_at_the_question_does_nothing(
    upgraded: str, command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(f"{upgraded}\nno\n"))
    ran = command("control-plane", "--stage", "rollback")
    assert ran.code == 3
    assert "not confirmed" in ran.err
    assert "upgrader_vm.stop" not in salt.submitted


@pytest.mark.parametrize(
    ("name", "words", "sentence"),
    [
        ("test-upgrade", ("--hard-stop",), "--hard-stop is for real-upgrade; test-upgrade has no use for it"),
        ("rollback", ("--member", "dbs02"), "--member is for real-upgrade; rollback has no use for it"),
        ("real-upgrade", ("--without", "dbs02"), "--without is for rollback; real-upgrade has no use for it"),
        ("finish", ("--smoke-image", "cirros"), "--smoke-image is for real-upgrade; finish has no use for it"),
        ("rollback", ("--repair-server-groups",), "--repair-server-groups is for test-upgrade and real-upgrade"),
    ],
)
def test_option_of_another_stage_is_refused(stage: Stage, name: str, words: tuple[str, ...], sentence: str) -> None:
    ran = stage(name, *words)
    assert ran.code == 2
    assert sentence in ran.err


def test_server_that_is_made_is_the_one_that_was_named(command: Command) -> None:
    words = ("--smoke-image", "cirros", "--smoke-flavor", "m1.tiny", "--smoke-network", "private")
    plan = json.loads(command("plan", "control-plane", "--stage", "real-upgrade", *words, "-o", "json").out)
    (smoke,) = [step for one in plan["plan"]["stages"] for step in one["steps"] if step["id"] == "verify-server"]
    assert smoke["call"]["args"] == {
        "run": {"$run": "id"},
        "image": "cirros",
        "flavor": "m1.tiny",
        "network": "private",
    }
