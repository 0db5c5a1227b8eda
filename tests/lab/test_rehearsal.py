"""The stage test-upgrade on real nodes: undisturbed, twice, and killed in the middle of every step."""

from __future__ import annotations

import json

import pytest

from tests.support.rehearsal import CLONES, SOURCES, STAGE, Rehearsal, Watcher
from upgrader.lab import Lab
from upgrader.lab.process import wait_until

LONG = {
    "backup-create",
    "backup-prove",
    "clone-fill",
    "nova-online-newton",
    "nova-map-instances",
    "nova-db",
    "nova-api",
}
VERSIONS = {"nova_upgrade_api": 31, "nova_upgrade": 347, "nova_upgrade_cell0": 347}


@pytest.fixture(scope="module")
def rehearsal(lab: Lab) -> Rehearsal:
    return Rehearsal(lab)


@pytest.fixture(scope="module")
def secrets(lab: Lab) -> list[str]:
    """Every secret of the lab, in the spellings it could leak in."""
    from urllib.parse import quote

    held = json.loads((lab.folder / "passwords.json").read_text())
    plain = [value for key, value in held.items() if not key.endswith("public")]
    return sorted(
        {s for value in plain for s in (value.strip(), quote(value, safe=""), value.strip().splitlines()[-2:][0])}
    )


@pytest.fixture(scope="module")
def undisturbed(rehearsal: Rehearsal, secrets: list[str]) -> dict[str, object]:
    """One run that nobody disturbs, watched for secrets."""
    before = rehearsal.checksums()
    with Watcher(secrets) as watcher:
        ran = rehearsal.run(*STAGE, "-o", "json")
    return {
        "ran": ran,
        "before": before,
        "after": rehearsal.checksums(),
        "contents": rehearsal.contents(),
        "watcher": watcher,
    }


def test_rehearsal_ends_at_ocata(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    ran = undisturbed["ran"]
    assert ran.returncode == 0, ran.stderr  # type: ignore[attr-defined]
    document = json.loads(ran.stdout)  # type: ignore[attr-defined]
    assert document["state"] == "finished"
    for database, version in VERSIONS.items():
        assert rehearsal.scalar(f"SELECT version FROM {database}.migrate_version") == version


def test_source_databases_are_unchanged(undisturbed: dict[str, object]) -> None:
    assert undisturbed["before"]
    assert undisturbed["after"] == undisturbed["before"]


def test_no_instance_and_no_host_is_left_behind(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    unmapped = (
        "SELECT COUNT(*) FROM nova_upgrade.instances i LEFT JOIN nova_upgrade_api.instance_mappings m "
        "ON m.instance_uuid = i.uuid WHERE m.cell_id IS NULL"
    )
    unspecified = (
        "SELECT COUNT(*) FROM nova_upgrade.instances i LEFT JOIN nova_upgrade_api.request_specs s "
        "ON s.instance_uuid = i.uuid WHERE i.deleted = 0 AND s.id IS NULL"
    )
    hosts = (
        "SELECT COUNT(DISTINCT c.host) FROM nova_upgrade.compute_nodes c LEFT JOIN nova_upgrade_api.host_mappings m "
        "ON m.host = c.host WHERE c.deleted = 0 AND m.id IS NULL"
    )
    assert (
        rehearsal.scalar("SELECT COUNT(*) FROM nova_upgrade.instances")
        == rehearsal.scalar("SELECT COUNT(*) FROM nova.instances")
        > 0
    )
    assert [rehearsal.scalar(query) for query in (unmapped, unspecified, hosts)] == [0, 0, 0]


def test_cells_name_the_clones_only(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, database_connection, transport_url FROM nova_upgrade_api.cell_mappings ORDER BY id"
        )
        rows = cursor.fetchall()
    assert [row[0] for row in rows] == ["cell0", "cell1"]
    assert [row[1].rsplit("/", 1)[1].split("?")[0] for row in rows] == ["nova_upgrade_cell0", "nova_upgrade"]
    assert "upg01" in rows[1][2]


def test_no_secret_on_a_command_line_or_in_an_environment(undisturbed: dict[str, object]) -> None:
    watcher = undisturbed["watcher"]
    assert watcher.looked > 50  # type: ignore[attr-defined]
    assert watcher.seen == set()  # type: ignore[attr-defined]


def test_no_secret_in_journal_logs_or_output(
    rehearsal: Rehearsal, lab: Lab, secrets: list[str], undisturbed: dict[str, object]
) -> None:
    ran = undisturbed["ran"]
    texts = {"stdout": ran.stdout.encode(), "stderr": ran.stderr.encode()}  # type: ignore[attr-defined]
    places = ("var/log", "var/lib/upgrader", "var/cache/salt/master/jobs", "var/cache/salt/minion", "tmp")
    for node in (rehearsal.cfg, rehearsal.dbs, rehearsal.upg):
        for place in places:
            for path in (node.root / place).rglob("*"):
                if path.is_file() and not path.is_symlink():
                    texts[f"{node.name}:{path}"] = path.read_bytes()
    assert any("jobs" in name for name in texts)
    leaks = [
        f"{name}: {secret[:3]}..." for name, text in texts.items() for secret in secrets if secret.encode() in text
    ]
    assert leaks == []


def test_account_of_the_clones_opens_nothing_else(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GRANTS FOR nova_upgrade@'%'")
        grants = [row[0] for row in cursor.fetchall()]
    granted = {
        grant.split(" ON ")[1].split(" TO ")[0].replace("\\", "") for grant in grants if "GRANT USAGE" not in grant
    }
    assert granted == {f"`{name}`.*" for name in CLONES}


def test_api_is_found_right_again_when_its_own_services_have_registered(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    """nova-api writes a row of its own some seconds after its start; it is no part of the source."""
    own = "SELECT COUNT(*) FROM nova_upgrade.services WHERE host IN ('127.0.0.1', 'upg01')"
    wait_until(lambda: bool(rehearsal.scalar(own)), 60, "the API's own row", lambda: "none yet")
    started = next(row for row in rehearsal.journal() if row["event"] == "step-started" and row["step"] == "verify-api")
    expected = f"expected={json.dumps(started['args']['expected'])}"
    again = rehearsal.cfg.run(["salt", "--out=json", "upg01.lab.local", "upgrader_nova.verify_api", expected])
    assert json.loads(again.stdout)["upg01.lab.local"]["findings"] == []


def test_second_run_of_the_whole_stage_is_clean(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    ran = rehearsal.run(*STAGE)
    assert ran.returncode == 0, ran.stderr
    assert rehearsal.contents() == undisturbed["contents"]
    assert rehearsal.checksums() == undisturbed["before"]


def kill_in(rehearsal: Rehearsal, steps: list[str], wanted: set[str], wait: float) -> set[str]:
    """One run of the stage, killed in each wanted step and resumed; gives the steps in which the journal shows a kill.

    A long step is killed ``wait`` seconds after its job was published.
    A step can be over before the signal arrives. Then the run goes on, perhaps to its end, and that step is not given.
    """
    words: tuple[str, ...] = (*STAGE, "--restart")
    killed: set[str] = set()
    for step in steps:
        if step not in wanted:
            continue
        event, delay = ("step-submitted", wait) if step in LONG else ("step-started", 0.0)
        if not rehearsal.kill_at(words, step, event, delay):
            break
        killed.add(str(rehearsal.step_in_doubt()))
        words = ("resume",)
    if json.loads(rehearsal.run("status", "-o", "json").stdout)["state"] != "finished":
        ran = rehearsal.run("resume")
        assert ran.returncode == 0, ran.stderr
    return killed & wanted


def test_command_killed_in_every_step_ends_like_an_undisturbed_run(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    """SIGKILL once in each step, after its intent is written or while its job runs, and resume each time."""
    steps = [step["id"] for step in json.loads(undisturbed["ran"].stdout)["steps"]]  # type: ignore[attr-defined]
    left = set(steps)
    for wait in (0.3, 0.05, 0.0):
        left -= kill_in(rehearsal, steps, left, wait)
        assert rehearsal.contents() == undisturbed["contents"]
        assert rehearsal.checksums() == undisturbed["before"]
        if not left:
            break
    assert left == set()


def test_sources_and_clones_stand_side_by_side(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT schema_name FROM information_schema.schemata")
        present = {row[0] for row in cursor.fetchall()}
    assert set(SOURCES) | set(CLONES) <= present
