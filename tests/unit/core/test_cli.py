"""What an operator sees: one sentence, the documented exit code, the result on stdout and progress on stderr."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clouds import lab_pillar
from tests.support.command import Command, Ran, command_in  # noqa: F401
from tests.support.salt_in_memory import SaltInMemory
from upgrader.cli import plans as cli_plans
from upgrader.cli import settings as cli_settings
from upgrader.journal.archive import Archive
from upgrader.plan.step import Call, Plan
from upgrader.transport import base

STAGE = ("control-plane", "--stage", "test-upgrade")


@pytest.fixture
def salt(monkeypatch: pytest.MonkeyPatch) -> SaltInMemory:
    salt = SaltInMemory(pillar=lab_pillar())
    salt.answer = lambda call, node: {
        "return": {"a": {"result": True}}
        if call.kind == "state"
        else {"counts": {}, "load": 1.0, "exports": {}, "logical": []},
        "retcode": 0,
    }
    monkeypatch.setattr(cli_settings.Settings, "transport", lambda self: salt)
    monkeypatch.setattr(base.Patience, "__init__", lambda self: object.__setattr__(self, "__dict__", FAST))
    return salt


FAST = {"tick": 0.0, "probe_every": 0.0, "silence": 0.05, "grace": 0.01}


@pytest.fixture
def command(
    salt: SaltInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return command_in(tmp_path, monkeypatch, capsys)


def test_whole_stage_ends_with_one_sentence_and_zero(command: Command) -> None:
    ran = command(*STAGE)
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    assert "finished, all 74 steps done" in ran.out
    assert "backup-create" not in ran.out
    assert "physical backup of all databases" in ran.err


def test_json_result_is_one_document(command: Command) -> None:
    document = json.loads(command(*STAGE, "-o", "json").out)
    assert document["schema"] == "upgrader.run/1"
    assert {step["state"] for step in document["steps"]} == {"done"}


def test_plan_asks_no_node_anything(command: Command, salt: SaltInMemory) -> None:
    ran = command("plan", *STAGE)
    assert ran.code == 0
    assert "nova-map-instances" in ran.out
    assert salt.submitted == []


def test_plan_as_json_has_the_digest_of_its_plan(command: Command) -> None:
    import hashlib

    document = json.loads(command("plan", *STAGE, "-o", "json").out)
    text = json.dumps(document["plan"], sort_keys=True, separators=(",", ":"))
    assert document["digest"] == hashlib.sha256(text.encode()).hexdigest()


def test_plan_as_yaml_is_the_same_document(command: Command) -> None:
    import yaml

    as_json = json.loads(command("plan", *STAGE, "-o", "json").out)
    assert yaml.safe_load(command("plan", *STAGE, "-o", "yaml").out) == as_json


def test_unknown_stage_is_usage(command: Command) -> None:
    ran = command("control-plane", "--stage", "tset-upgrade")
    assert ran.code == 2
    assert "'tset-upgrade' is not one of 'test-upgrade', 'real-upgrade', 'rollback', 'finish'" in ran.err


def test_missing_pillar_key_is_refused_before_a_run_exists(
    command: Command, salt: SaltInMemory, tmp_path: Path
) -> None:
    del salt.pillar["upg01.lab.local"]["nova"]["controller"]["database"]["password"]
    ran = command(*STAGE)
    assert ran.code == 3
    assert "upg01.lab.local lacks pillar key nova:controller:database:password" in ran.err
    assert not list(tmp_path.rglob("*.jsonl"))


def test_failing_gate_is_three_and_says_what_to_do(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    bad = {"return": "ERROR: dbs01 runs other Salt modules: sync them", "retcode": 1}
    salt.answer = lambda call, node: (
        bad if call.function == "upgrader_node.modules_current" and node.startswith("dbs") else good(call, node)
    )
    ran = command(*STAGE)
    assert ran.code == 3
    assert "at step modules-current, which failed" in ran.err
    assert "upgrader resume" in ran.err


def test_failing_step_is_one_and_resume_finishes(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    salt.answer = lambda call, node: (
        {"return": "ERROR: no", "retcode": 1} if call.function == "upgrader_clone.fill" else good(call, node)
    )
    assert command(*STAGE).code == 1
    salt.answer = good
    ran = command("resume")
    assert ran.code == 0
    assert "finished" in ran.out


def test_gate_that_refuses_on_resume_after_work_was_done_is_one(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    bad = {"return": "ERROR: no", "retcode": 1}
    salt.answer = lambda call, node: dict(bad) if call.function == "upgrader_clone.fill" else good(call, node)
    assert command(*STAGE).code == 1
    salt.answer = lambda call, node: dict(bad) if call.function == "upgrader_galera.check" else good(call, node)
    ran = command("resume")
    assert ran.code == 1
    assert "at step cluster-state, which failed" in ran.err
    assert "nothing was changed" not in ran.err


def test_faults_of_several_services_are_told_by_one_rehearsal(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer

    def answer(call: Call, node: str) -> Mapping[str, object]:
        wrong = call.args.get("service") in ("glance", "neutron") and call.function == "upgrader_schema.phase"
        wrong = wrong or call.args.get("phase") == "map-instances"
        return (
            {"return": f"ERROR: {call.args.get('service', 'nova')}'s rows", "retcode": 1} if wrong else good(call, node)
        )

    salt.answer = answer
    ran = command(*STAGE, "-o", "json")
    assert ran.code == 1
    failed = {entry["step"]: entry["mends"] for entry in json.loads(ran.out)["failed"]}
    assert len(failed) == 3
    assert set(failed.values()) == {"copy"}
    last = ran.err.strip().splitlines()[-1]
    assert all(f"{service}'s rows" in last for service in ("glance", "neutron", "nova"))
    assert "mend them in the live database, then 'upgrader control-plane --stage test-upgrade --restart'" in last
    done = {entry["id"] for entry in json.loads(ran.out)["steps"] if entry["state"] == "done"}
    assert {"verify-keystone", "verify-cinder", "verify-heat"} <= done
    assert not {"services-start", "verify-glance", "verify-neutron", "verify-nova"} & done


def test_node_that_still_works_at_the_end_of_its_time_is_four(
    command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upgrader.transport.collect._Wait.probe_when_due", lambda self: None)
    plan = cli_plans.make_plan

    def hasty(*words: object) -> Plan:
        made = plan(*words)  # type: ignore[arg-type]
        steps = [replace(s, call=replace(s.call, timeout=0)) if s.id == "clone-fill" else s for s in made.steps()]
        return replace(made, stages=(replace(made.stages[0], steps=tuple(steps)),))

    monkeypatch.setattr(cli_plans, "make_plan", hasty)
    good = salt.answer
    salt.answer = lambda call, node: None if call.function == "upgrader_clone.fill" else good(call, node)
    salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, True)  # type: ignore[method-assign]
    ran = command(*STAGE)
    assert ran.code == 4
    assert "at step clone-fill, which still runs: cfg01.lab.local still runs upgrader_clone.fill" in ran.err
    assert command("resume").code == 4
    assert salt.submitted.count("upgrader_clone.fill") == 1


def test_silent_node_in_a_gate_is_three_and_named(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    salt.running.add(("dbs01.lab.local", "dead"))
    salt.answer = lambda call, node: None if node.startswith("dbs") else good(call, node)
    ran = command(*STAGE)
    assert ran.code == 3
    assert "dbs01.lab.local does not answer" in ran.err
    assert "upgrader_backup.create" not in salt.submitted


def test_node_that_falls_silent_during_work_is_four(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    salt.answer = lambda call, node: None if call.function == "upgrader_clone.fill" else good(call, node)
    ran = command(*STAGE)
    assert ran.code == 4
    assert "at step clone-fill, which is in doubt: cfg01.lab.local answers but no longer runs" in ran.err


def test_restart_is_refused_while_an_old_job_still_works_on_a_node(command: Command, salt: SaltInMemory) -> None:
    salt.die_after = "upgrader_clone.fill"
    command(*STAGE)
    jid = next(jid for jid, (call, _) in salt.jobs.items() if call.function == "upgrader_clone.fill")
    salt.running.add(("cfg01.lab.local", jid))
    ran = command(*STAGE, "--restart")
    assert ran.code == 4
    assert "still works on cfg01.lab.local" in ran.err


def test_new_run_is_refused_while_one_stands_half_way(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    salt.answer = lambda call, node: (
        {"return": "ERROR: no", "retcode": 1} if call.function == "upgrader_clone.fill" else good(call, node)
    )
    command(*STAGE)
    ran = command(*STAGE)
    assert ran.code == 4
    assert "stopped at step clone-fill; go on with 'upgrader resume 2" in ran.err
    salt.answer = good
    assert command(*STAGE, "--restart").code == 0
    assert "abandoned" in command("history").out


def test_locked_cloud_names_the_owner(command: Command, tmp_path: Path) -> None:
    with Archive(tmp_path).lock("lab", "bob@cfg01"):
        ran = command(*STAGE)
    assert ran.code == 4
    assert "cloud lab is locked by process" in ran.err
    assert "bob@cfg01" in ran.err


def test_unreachable_salt_is_five(command: Command, salt: SaltInMemory) -> None:
    salt.unreachable = True
    ran = command(*STAGE)
    assert ran.code == 5
    assert "is salt-master running?" in ran.err


def test_interrupt_is_130_and_resume_goes_on(command: Command, salt: SaltInMemory) -> None:
    salt.die_after = "upgrader_schema.phase nova db-newton"
    ran = command(*STAGE)
    assert ran.code == 130
    assert "interrupted at step nova-db-newton" in ran.err
    assert command("resume").code == 0
    assert salt.submitted.count("upgrader_schema.phase nova db-newton") == 1


def test_status_says_in_one_sentence_where_the_run_is(command: Command, salt: SaltInMemory) -> None:
    salt.die_after = "upgrader_schema.phase nova db-newton"
    command(*STAGE)
    ran = command("status")
    assert "31 of 74 steps done, at step nova-db-newton, which is in doubt: " in ran.out.splitlines()[0]
    assert json.loads(command("status", "-o", "json").out)["stopped_at"] == "nova-db-newton"


def test_status_without_any_run_is_usage(command: Command) -> None:
    ran = command("status")
    assert ran.code == 2
    assert "no run yet" in ran.err


def test_resume_through_another_carrier_is_refused_and_nothing_is_asked(command: Command, salt: SaltInMemory) -> None:
    salt.die_after = "upgrader_schema.phase nova db-newton"
    command(*STAGE)
    salt.carrier = "ssh"
    asked = len(salt.submitted)
    for words in (("resume",), (*STAGE, "--restart")):
        ran = command(*words)
        assert ran.code == 3
        assert "was begun through transport master or api, where its jobs are known" in ran.err
    assert len(salt.submitted) == asked
    salt.carrier = "minions"
    assert command("resume").code == 0


def test_resume_of_a_finished_run_is_refused(command: Command) -> None:
    command(*STAGE)
    ran = command("resume")
    assert ran.code == 2
    assert "nothing to resume" in ran.err


def test_resume_with_other_formulas_is_refused(
    command: Command, salt: SaltInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt.die_after = "upgrader_schema.phase nova db-newton"
    command(*STAGE)
    monkeypatch.setattr("upgrader_node.host.sources.digest_of", lambda files: "0" * 64)
    ran = command("resume")
    assert ran.code == 3
    assert "install the version that started the run" in ran.err


def test_stamp_passes_over_a_step(command: Command, salt: SaltInMemory) -> None:
    good = salt.answer
    salt.answer = lambda call, node: (
        {"return": "ERROR: no", "retcode": 1} if call.function == "upgrader_clone.fill" else good(call, node)
    )
    command(*STAGE)
    assert command("stamp", "clone-fill", "--reason", "loaded by hand").code == 0
    assert command("resume").code == 0
    assert command("stamp", "nonsense", "--reason", "x").code == 2


def test_history_lists_runs_and_speaks_json(command: Command) -> None:
    assert "no run yet" in command("history").out
    command(*STAGE)
    command(*STAGE)
    assert len(json.loads(command("history", "-o", "json").out)["runs"]) == 2


def test_unexpected_error_is_one_sentence_and_no_traceback(
    command: Command, salt: SaltInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("upgrader.cli.plans.make_plan", lambda *a: 1 / 0)
    ran = command(*STAGE)
    assert ran.code == 1
    assert "Traceback" not in ran.err + ran.out
    assert "internal error (ZeroDivisionError)" in ran.err
    report = next(tmp_path.glob("upgrader-crash-*"))
    assert str(report) in ran.err
    assert "ZeroDivisionError" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_no_secret_of_the_pillar_reaches_journal_or_screen(command: Command, tmp_path: Path) -> None:
    ran = command(*STAGE, "-o", "json")
    journal = next(tmp_path.rglob("*.jsonl")).read_text()
    assert "secret-" not in journal + ran.out + ran.err


def test_changed_journal_is_refused(command: Command, salt: SaltInMemory, tmp_path: Path) -> None:
    salt.die_after = "upgrader_schema.phase nova db-newton"
    command(*STAGE)
    journal = next(tmp_path.rglob("*.jsonl"))
    journal.write_text(journal.read_text().replace("clone-fill", "clone-fixx", 1))
    ran = command("resume")
    assert ran.code == 4
    assert "restore it from a copy" in ran.err


def test_damaged_old_journal_does_not_stop_a_new_run(command: Command, tmp_path: Path) -> None:
    command(*STAGE)
    old = next(tmp_path.rglob("*.jsonl")).rename(tmp_path / "lab" / "runs" / "20000101T000000Z-0000.jsonl")
    command(*STAGE)
    old.write_text(old.read_text().replace("clone-fill", "clone-fixx", 1))
    assert command(*STAGE).code == 0
    assert command("status").code == 0
    listed = command("history")
    assert listed.code == 0
    assert "line 1" in listed.err
    assert listed.out.count("finished") == 2


def test_run_is_found_by_the_beginning_of_its_id(command: Command) -> None:
    run = json.loads(command(*STAGE, "-o", "json").out)["run"]
    assert json.loads(command("status", run[:-2], "-o", "json").out)["run"] == run
    assert command("status", "nonsense").code == 2


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["control-plane", "--help"], ["plan", "--help"], ["resume", "-h"], ["--version"]]
)
def test_help_is_help(command: Command, words: list[str]) -> None:
    ran = command(*words)
    assert ran.code in (0, 2)
    assert "upgrader" in (ran.out + ran.err).lower()


def test_module_runs_in_a_bare_checkout(tmp_path: Path) -> None:
    """Nothing of the project installed, only its dependencies: the shared files are found all the same."""
    question = "import upgrader.cli.settings as s; print(s.modules_digest())"
    root = Path(__file__).parents[3]
    isolated = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(root)!r}); sys.path[:] = [p for p in sys.path if '_utils' not in p]; {question}",
    ]
    ran = subprocess.run(isolated, capture_output=True, text=True, cwd=tmp_path, env={}, check=False)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.strip()) == 64
