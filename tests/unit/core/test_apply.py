"""What was approved is byte for byte what runs, and only while formulas, modules and pillar are what they were."""

# ruff: noqa: F401, F811  the fixtures

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.clouds import lab_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt
from upgrader import content
from upgrader.cli import plans as cli_plans
from upgrader.cli import settings as cli_settings
from upgrader.journal import plans
from upgrader.plan.facts import changes, facts_of

STAGE = ("control-plane", "--stage", "test-upgrade")
UPG = "upg01.lab.local"


@pytest.fixture
def formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped formulas, copied so that a test may change them."""
    folder = tmp_path / "formulas"
    shutil.copytree(content.FORMULAS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cli_settings, "FORMULAS", folder)
    monkeypatch.setattr(cli_plans, "FORMULAS", folder)
    return folder


def digest_of(command: Command) -> str:
    return str(json.loads(command("plan", *STAGE, "-o", "json").out)["digest"])


def started(tmp_path: Path) -> list[dict[str, Any]]:
    journals = sorted(tmp_path.rglob("*.jsonl"))
    return [json.loads(journal.read_text().splitlines()[0]) for journal in journals]


def test_plan_in_a_file_runs_byte_for_byte(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "rehearsal.json"
    ran = command("plan", *STAGE, "--out", str(file))
    assert ran.code == 0
    document = json.loads(file.read_text())
    assert document["digest"] in ran.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert command("apply", str(file)).code == 0
    [run] = started(tmp_path)
    assert run["digest"] == document["digest"]
    assert json.loads(run["plan"]) == document["plan"]


def test_what_is_printed_as_json_can_be_applied(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(command("plan", *STAGE, "-o", "json").out)
    assert command("apply", str(file)).code == 0


def test_plan_that_was_shown_is_applied_by_the_beginning_of_its_digest(command: Command, tmp_path: Path) -> None:
    digest = digest_of(command)
    assert command("apply", digest[:12]).code == 0
    assert [run["digest"] for run in started(tmp_path)] == [digest]


def test_stage_runs_the_plan_that_was_shown(command: Command, tmp_path: Path) -> None:
    digest = digest_of(command)
    assert command(*STAGE).code == 0
    assert [run["digest"] for run in started(tmp_path)] == [digest]


def test_typing_error_names_the_plans_that_are_kept(command: Command, salt: SaltInMemory) -> None:
    digest = digest_of(command)
    ran = command("apply", "rehersal.json")
    assert ran.code == 2
    assert f"rehersal.json is neither a file nor the digest of a plan that is kept (kept: {digest[:12]}" in ran.err
    assert salt.submitted == []


def test_one_digit_names_no_plan(command: Command) -> None:
    assert command("apply", digest_of(command)[:1]).code == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [("upgrader_schema.phase", "upgrader_schema.phrase"), ('"timeout": 60', '"timeout": 61'), ('"digest": "', '"digest": "0')],
)  # fmt: skip
def test_plan_that_was_edited_is_refused(
    command: Command,
    salt: SaltInMemory,
    tmp_path: Path,
    old: str,
    new: str,
) -> None:
    file = tmp_path / "plan.json"
    command("plan", *STAGE, "--out", str(file))
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    ran = command("apply", str(file))
    assert ran.code == 2
    assert "was edited: it does not have the digest" in ran.err
    assert salt.submitted == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "no json", '{"digest": "x", "plan": []}', '{"digest": "x", "plan": {}}']
)
def test_garbage_is_no_plan(command: Command, tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert command("apply", str(file)).code == 2


@pytest.mark.parametrize(
    "name",
    ["upgrader/nova/running.sls", "upgrader/nova/files/nova.conf.jinja", "upgrader/backup/files/upgrader-receive"],
)
def test_changed_formula_voids_the_plan_and_is_named(
    command: Command,
    salt: SaltInMemory,
    formulas: Path,
    name: str,
) -> None:
    digest = digest_of(command)
    with (formulas / name).open("a") as file:
        file.write("# one byte more\n")
    ran = command("apply", digest)
    assert ran.code == 3
    assert f"formulas: {name} changed" in ran.err
    assert "make a new plan" in ran.err
    assert salt.submitted == []
    assert digest_of(command) != digest


def test_changed_module_voids_the_plan_and_is_named(command: Command, formulas: Path) -> None:
    digest = digest_of(command)
    with (formulas / "_modules" / "upgrader_nova.py").open("a") as file:
        file.write("# one line more\n")
    ran = command("apply", digest)
    assert ran.code == 3
    assert "_modules/upgrader_nova.py changed" in ran.err


def test_changed_pillar_voids_the_plan_and_is_named_without_its_value(command: Command, salt: SaltInMemory) -> None:
    digest = digest_of(command)
    salt.pillar[UPG]["nova"]["controller"]["database"]["password"] = "another-secret"
    ran = command("apply", digest)
    assert ran.code == 3
    assert f"pillar of {UPG} (nova) changed" in ran.err
    assert "another-secret" not in ran.err + ran.out
    assert salt.submitted == []


def test_node_that_left_the_model_voids_the_plan(command: Command, salt: SaltInMemory) -> None:
    digest = digest_of(command)
    salt.pillar["cfg01.lab.local"]["upgrader"]["nodes"]["database"].pop()
    ran = command("apply", digest)
    assert ran.code == 3
    assert "cfg01.lab.local (upgrader), dbs03.lab.local changed" in ran.err


@pytest.fixture
def cut_off(command: Command, salt: SaltInMemory, formulas: Path) -> Command:
    """A run that stopped half way."""
    salt.die_after = "upgrader_schema.phase nova db-newton"
    assert command(*STAGE).code == 130
    salt.submitted.clear()
    return command


@pytest.mark.parametrize("name", ["upgrader/nova/running.sls", "upgrader/nova/files/nova.conf.jinja"])
def test_resume_with_a_changed_formula_is_refused_and_names_it(
    cut_off: Command, salt: SaltInMemory, formulas: Path, name: str
) -> None:  # fmt: skip
    (formulas / name).write_text("other")
    ran = cut_off("resume")
    assert ran.code == 3
    assert f"formulas: {name} changed" in ran.err
    assert salt.submitted == []


def test_resume_with_a_changed_pillar_is_refused_until_it_is_accepted(cut_off: Command, salt: SaltInMemory) -> None:
    salt.pillar[UPG]["glance"]["server"]["bind"]["port"] = 9393
    ran = cut_off("resume")
    assert ran.code == 3
    assert f"pillar of {UPG} (glance) changed" in ran.err
    assert "--accept-pillar" in ran.err
    assert salt.submitted == []
    salt.die_after = "upgrader_schema.phase nova map-cell0"
    assert cut_off("resume", "--accept-pillar").code == 130
    assert cut_off("resume").code == 0


def test_accepted_pillar_is_in_the_journal_without_a_value(
    cut_off: Command, salt: SaltInMemory, tmp_path: Path
) -> None:  # fmt: skip
    salt.pillar[UPG]["glance"]["server"]["storage"] = {"engine": "secret-engine"}
    assert cut_off("resume", "--accept-pillar").code == 0
    journal = next(tmp_path.rglob("*.jsonl")).read_text()
    assert f"pillar of {UPG} (glance) changed" in journal
    assert "secret-engine" not in journal


def test_accepting_a_pillar_accepts_no_formula(cut_off: Command, salt: SaltInMemory, formulas: Path) -> None:
    salt.pillar[UPG]["glance"]["server"]["bind"]["port"] = 9393
    (formulas / "upgrader" / "glance" / "running.sls").write_text("other")
    ran = cut_off("resume", "--accept-pillar")
    assert ran.code == 3
    assert "--accept-pillar" not in ran.err


def test_plan_of_another_cloud_is_refused(command: Command, salt: SaltInMemory) -> None:
    digest = digest_of(command)
    salt.pillar["cfg01.lab.local"]["upgrader"]["cloud"] = "prague"
    ran = command("apply", digest)
    assert ran.code == 3
    assert "the plan is for cloud lab, and this Salt master's is prague" in ran.err


def test_plans_are_kept_for_their_owner_only_and_their_number_is_bounded(
    command: Command, salt: SaltInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(plans, "KEPT", 3)
    for number in range(5):
        salt.pillar[UPG]["made-up"] = number
        last = digest_of(command)
    kept = sorted((tmp_path / "lab" / "plans").iterdir())
    assert len(kept) == 3
    assert f"{last}.json" in [path.name for path in kept]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_plan_says_in_which_way_pillar_is_bound_and_holds_no_secret(command: Command, salt: SaltInMemory) -> None:
    ran = command("plan", *STAGE, "-o", "json")
    facts = json.loads(ran.out)["plan"]["facts"]
    assert "secret" not in ran.out
    assert set(facts) == {"modules", "formulas", "pillar", "files", "keys"}
    assert {len(facts[name]) for name in ("modules", "formulas", "pillar")} == {64}
    assert {len(digits) for keys in facts["keys"].values() for digits in keys.values()} == {4}
    assert "upgrader/nova/files/nova.conf.jinja" in facts["files"]
    assert set(facts["keys"]) == set(lab_pillar())


def test_plan_out_into_a_missing_folder_is_usage(command: Command, tmp_path: Path) -> None:
    ran = command("plan", *STAGE, "--out", str(tmp_path / "no" / "plan.json"))
    assert ran.code == 2
    assert "name another file with --out" in ran.err


def test_stage_that_asks_also_asks_when_its_plan_is_applied(
    command: Command, salt: SaltInMemory, tmp_path: Path
) -> None:
    salt.answer = lambda call, node: {
        "return": {"a": {"result": True}} if call.kind == "state" else {"receipt": {"id": "b1"}, "actions": []},
        "retcode": 0,
    }
    file = tmp_path / "restore.json"
    file.write_text(command("backup", "restore", "b1", "--dry-run", "-o", "json").out)
    salt.submitted.clear()
    ran = command("apply", str(file))
    assert ran.code == 2
    assert "backup restore has to be confirmed, and there is no terminal" in ran.err
    assert salt.submitted == []
    assert command("apply", str(file), "--yes").code == 0


def test_how_a_pillar_was_made_is_no_part_of_it() -> None:
    before = facts_of("m", {}, {"a": {"x": 1, "__reclass__": {"timestamp": 1}}})
    assert changes(before, facts_of("m", {}, {"a": {"__reclass__": {"timestamp": 2}, "x": 1}})) == []


def test_many_changed_files_are_counted() -> None:
    before = facts_of("m", {f"f{number}": "a" for number in range(9)}, {})
    [told] = changes(before, facts_of("m", {}, {}))
    assert told == "formulas: f0, f1, f2, f3, f4 and 4 more changed"


def test_other_modules_alone_are_said() -> None:
    [told] = changes(facts_of("a" * 20, {}, {}), facts_of("b" * 20, {}, {}))
    assert told == "the Salt modules changed (aaaaaaaaaaaa is now bbbbbbbbbbbb)"
