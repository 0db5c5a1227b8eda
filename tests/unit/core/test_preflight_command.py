"""``upgrader preflight``: a table for 80 columns or one document, exit code 3 for a blocker, no journal, no change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.clouds import FACTS, lab_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401  the fixtures
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Call, Options
from upgrader.report.findings import counted, findings_text

DATABASES = [f"dbs0{number}.lab.local" for number in (1, 2, 3)]
EVERYBODY = ["cfg01.lab.local", *DATABASES, "upg01.lab.local"]
STAGE = ("control-plane", "--stage", "test-upgrade")
BLOCKER = {
    "id": "compute-node-uuids", "severity": "blocker", "subject": "compute nodes", "count": 12, "rows": ["1 cmp001"],
    "what": "3 live compute nodes without uuid; db sync to Newton stops at migration 330",
    "remedy": "only Mitaka's own 'nova-manage db online_data_migrations' can repair it",
}  # fmt: skip
WARNING = {
    **BLOCKER,
    "id": "services-down",
    "severity": "warning",
    "subject": "services",
    "what": "1 live services are down",
}


def answering(salt: SaltInMemory, found: list[dict[str, Any]]) -> None:  # noqa: F811
    good = salt.answer
    reply = {"return": {"comment": "asked", "findings": found}, "retcode": 0}
    salt.answer = lambda call, node: reply if call.function == "upgrader_preflight.databases" else good(call, node)


def test_modules_are_sent_to_a_node_that_has_others(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, [])
    stale, good = {"return": "ERROR: other modules", "retcode": 1}, salt.answer

    def answer(call: Call, node: str) -> Any:
        sent = "saltutil.sync_all" in salt.submitted
        return stale if call.function == "upgrader_node.modules_current" and not sent else good(call, node)

    salt.answer = answer
    assert command("preflight").code == 0
    assert salt.submitted[:3] == ["upgrader_node.modules_current", "saltutil.sync_all", "upgrader_node.modules_current"]
    assert salt.asked[1] == ("saltutil.sync_all", tuple(EVERYBODY))


def test_no_finding_is_zero_and_leaves_no_journal(command: Command, salt: SaltInMemory, tmp_path: Path) -> None:  # noqa: F811
    answering(salt, [])
    ran = command("preflight")
    assert ran.code == 0
    assert "BLOCKER" not in ran.out and "WARNING" not in ran.out
    assert not list(tmp_path.rglob("*.jsonl"))


def test_every_node_is_asked_at_once_with_modules_of_this_version_and_nothing_is_changed(
    command: Command,  # noqa: F811
    salt: SaltInMemory,  # noqa: F811
) -> None:
    answering(salt, [])
    command("preflight")
    asked = dict(salt.asked)
    assert salt.submitted[:2] == ["upgrader_node.modules_current", "upgrader_node.pillar_current"], "none are sent"
    assert asked["upgrader_standing.host"] == asked["upgrader_node.modules_current"] == tuple(EVERYBODY)
    assert asked["upgrader_preflight.databases"] == ("cfg01.lab.local",)
    assert asked["upgrader_galera.check"] == asked["upgrader_standing.replication"] == tuple(DATABASES)
    assert {call.kind for call, _ in salt.jobs.values()} == {"module"}
    plan = make_plan(
        cloud_from_pillar(lab_pillar(), "cfg01.lab.local"), "control-plane", "test-upgrade", FACTS, Options()
    )
    work = {step.call.function for step in plan.steps() if step.phase != "gate"}
    assert not work & set(asked)


def test_blocker_is_three_with_the_table_on_stdout(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, [BLOCKER, WARNING])
    ran = command("preflight")
    assert ran.code == 3
    assert "1 blocker, 1 warning, 1 info: the upgrade of cloud lab must not start" in ran.err
    assert "migration" in ran.out and "330" in ran.out
    assert "rows: 1 cmp001 and 11 more" in ran.out


def test_rows_that_are_many_are_in_a_file_that_is_named(command: Command, salt: SaltInMemory, tmp_path: Path) -> None:  # noqa: F811
    rows, mends = [f"row-{n}" for n in range(50)], [f"UPDATE x SET y = {n}" for n in range(50)]
    answering(salt, [{**BLOCKER, "rows": rows, "count": 50, "statements": mends}, WARNING])
    ran = command("preflight")
    [path] = [line for line in ran.out.splitlines() if line.startswith(str(tmp_path))]
    text = Path(path).read_text()
    assert "row-7" not in ran.out and "rows: 50, in the file that is named below" in ran.out
    assert all(row in text for row in rows) and all(f"{mend};" in text for mend in mends)
    assert Path(path).stat().st_mode & 0o77 == 0


def test_warnings_alone_are_zero(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, [WARNING])
    assert command("preflight").code == 0


def test_json_is_one_document_with_every_finding(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, [BLOCKER, WARNING])
    ran = command("preflight", "-o", "json")
    document = json.loads(ran.out)
    assert ran.code == 3
    assert [one for one in document.pop("findings") if one["id"] != "model"] == [BLOCKER, WARNING]
    assert document == {
        "schema": "upgrader.preflight/1",
        "cloud": "lab",
        "stage": "test-upgrade",
        "refused": True,
        "controllers": {},
    }


@pytest.mark.parametrize(
    ("said", "code", "sentence"),
    [
        (
            {"return": {"comment": "135 states render", "salt": "2017.7.8", "states": 135}, "retcode": 0},
            0,
            "135 states render",
        ),
        ({"return": "ERROR: the site's nova does not render: no key", "retcode": 1}, 3, "nova does not render: no key"),
    ],
)
def test_site_that_deploys_is_asked_for_its_salt_and_formulas(
    command: Command,  # noqa: F811
    salt: SaltInMemory,  # noqa: F811
    said: dict[str, Any],
    code: int,
    sentence: str,
) -> None:
    salt.pillar["cfg01.lab.local"]["upgrader"]["deployment"] = "mcp"
    answering(salt, [])
    others = salt.answer
    salt.answer = lambda call, node: said if call.function == "upgrader_site.check" else others(call, node)
    ran = command("preflight")
    assert ran.code == code, ran.err
    assert "site's formulas on upg01.lab.local: " in " ".join(ran.out.split())
    assert sentence in " ".join(ran.out.split())
    site = json.loads(command("preflight", "-o", "json").out)["site"]
    assert site["node"] == "upg01.lab.local" and sentence in str(site)


def test_silent_node_is_three_and_named(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    salt.running.add(("cfg01.lab.local", "dead"))
    salt.answer = lambda call, node: None
    ran = command("preflight")
    assert ran.code == 3
    assert "cfg01.lab.local does not answer" in ran.out and "remedy: is the machine up" in ran.out


def test_node_that_no_step_of_the_stage_needs_is_told_when_it_is_silent(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    salt.pillar["cfg01.lab.local"]["upgrader"]["nodes"]["compute"] = ["cmp001.lab.local"]
    answering(salt, [])
    good = salt.answer
    salt.answer = lambda call, node: None if node.startswith("cmp") else good(call, node)
    salt.running.add(("cmp001.lab.local", "dead"))
    ran = command("preflight", "-o", "json")
    [silent] = [one for one in json.loads(ran.out)["findings"] if one["id"] == "silent"]
    assert ran.code == 0
    assert (silent["severity"], silent["subject"]) == ("warning", "cmp001.lab.local")
    assert dict(salt.asked)["upgrader_standing.host"] == tuple(EVERYBODY), "the others are asked all the same"


def test_salt_that_is_down_is_five(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    salt.unreachable = True
    assert command("preflight").code == 5


def test_database_that_refuses_the_account_is_three(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    good = salt.answer
    bad = {
        "return": "ERROR: database at dbs01:3306 refuses user upgrader (error 1045): correct the password",
        "retcode": 1,
    }
    salt.answer = lambda call, node: bad if call.function == "upgrader_preflight.databases" else good(call, node)
    ran = command("preflight")
    assert ran.code == 3
    assert "cfg01.lab.local: database at dbs01:3306 refuses user upgrader" in " ".join(ran.out.split())


def test_an_answer_without_findings_is_no_pass(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    good = salt.answer
    salt.answer = lambda call, node: (
        {"return": {}, "retcode": 0} if call.function == "upgrader_preflight.databases" else good(call, node)
    )
    assert command("preflight").code == 3


def test_blocker_stops_the_stage_before_the_backup_and_names_every_remedy(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, [BLOCKER, {**BLOCKER, "what": "2 live aggregates", "remedy": "mend them"}, WARNING])
    ran = command(*STAGE)
    assert ran.code == 3
    assert "at step preflight, which failed" in ran.err
    assert "2 live aggregates; mend them" in ran.err and "migration 330" in ran.err
    assert "upgrader_backup.create" not in salt.submitted


def test_warning_is_shown_and_the_stage_goes_on(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    answering(salt, [WARNING])
    ran = command(*STAGE)
    assert ran.code == 0
    assert "warning: services: 1 live services are down" in ran.err


def test_repair_is_a_step_of_its_own_with_a_digest_of_its_own(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    plain, repairing = command("plan", *STAGE), command("plan", *STAGE, "--repair-server-groups")
    assert "nova-repair-server-groups" not in plain.out
    assert "nova-repair-server-groups" in repairing.out
    assert command(*STAGE, "--repair-server-groups").code == 0
    assert (
        salt.submitted.index("upgrader_schema.phase nova repair-server-groups")
        == salt.submitted.index("upgrader_schema.phase nova online-newton") - 1
    )


def test_plan_with_repair_tells_the_preflight_what_it_repairs() -> None:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    plans = [
        make_plan(cloud, "control-plane", "test-upgrade", FACTS, options)
        for options in (Options(), Options(repair_server_groups=True))
    ]
    assert plans[0].digest != plans[1].digest
    asked = [next(step.call.args["repaired"] for step in plan.steps() if step.id == "preflight") for plan in plans]
    assert asked == [[], ["server-groups", "group-specs"]]


@pytest.mark.parametrize("words", [2, 60])
def test_table_stays_within_80_columns(words: int) -> None:
    long = {
        **BLOCKER,
        "subject": "x" * 40,
        "what": "x" * words * 9,
        "remedy": "nova_api.instance_group_member " * words,
    }
    assert max(len(line) for line in findings_text([long, WARNING]).splitlines()) <= 80


def test_counts_are_worded() -> None:
    assert counted([BLOCKER, BLOCKER, WARNING, {**BLOCKER, "severity": "info"}]) == "2 blockers, 1 warning, 1 info"
