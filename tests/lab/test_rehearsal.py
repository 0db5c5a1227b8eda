"""The stage test-upgrade on real nodes: undisturbed, judged through other doors, and killed in the middle of every step."""

from __future__ import annotations

import json

import pytest

from tests.support.rehearsal import CLONES, NOVA, OTHERS, SOURCES, STAGE, Rehearsal, Watcher
from upgrader.lab import Lab

LONG = {
    "backup-create",
    "backup-prove",
    "nova-online-newton",
    "nova-map-instances",
    "nova-db",
    "services-start",
    "verify-cloud",
}
# As far as the lab's tools go: Pike's keystone and glance, Rocky's heat.
VERSIONS = {
    "SELECT version FROM nova_upgrade_api.migrate_version": [31],
    "SELECT version FROM nova_upgrade.migrate_version": [347],
    "SELECT version FROM nova_upgrade_cell0.migrate_version": [347],
    "SELECT version FROM cinder_upgrade.migrate_version": [96],
    "SELECT version FROM heat_upgrade.migrate_version": [86],
    "SELECT version_num FROM glance_upgrade.alembic_version": ["pike01"],
    "SELECT version_num FROM neutron_upgrade.alembic_version ORDER BY 1": ["5c85685d616d", "a9c43481023c"],
    "SELECT version FROM keystone_upgrade.migrate_version ORDER BY repository_id": [109, 24, 24, 24],
}
UNITS = {
    "keystone", "glance-api", "nova-api", "nova-conductor", "nova-scheduler", "nova-placement-api", "cinder-api",
    "cinder-scheduler", "neutron-server", "heat-api", "heat-api-cfn", "heat-engine", "rabbitmq-server", "memcached",
}  # fmt: skip


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
    for name in ("ctl01", "vip01"):
        rehearsal.lab.node(name).run(["nft", "reset", "counters"])
    with Watcher(secrets) as watcher:
        ran = rehearsal.run(*STAGE, "--restart", "-o", "json")
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
    for question, versions in VERSIONS.items():
        assert rehearsal.column(question) == versions, question


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


def test_accounts_of_the_clones_open_nothing_else(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    granted: dict[str, set[str]] = {}
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT user FROM mysql.global_priv WHERE user LIKE '%\\_upgrade' ORDER BY user")
        for user in [row[0] for row in cursor.fetchall()]:
            cursor.execute(f"SHOW GRANTS FOR {user}@'%'")
            grants = [row[0] for row in cursor.fetchall() if "GRANT USAGE" not in row[0]]
            granted[user] = {grant.split(" ON ")[1].split(" TO ")[0].replace("\\", "") for grant in grants}
    assert granted.pop("nova_upgrade") == {f"`{name}`.*" for name in NOVA}
    assert granted == {name: {f"`{name}`.*"} for name in OTHERS}


def test_production_sees_no_packet(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    """Counted on production's nodes by their own packet filter: the database is all that the upgrade node may ask."""
    counted = {name: rehearsal.packets(name) for name in ("ctl01", "vip01")}
    assert {name: found["production"] for name, found in counted.items()} == {"ctl01": 0, "vip01": 0}
    assert counted["vip01"]["database"] > 1000
    # The counter counts: one knock at production's queue is seen.
    knock = "import socket; socket.create_connection(('ctl01', 5672), 5)"
    rehearsal.upg.run(["python3", "-c", knock])
    assert rehearsal.packets("ctl01")["production"] > 0


def test_a_whole_controller_runs_and_none_of_it_starts_at_boot(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    units = sorted(UNITS)
    assert rehearsal.upg.run(["systemctl", "is-active", *units], check=False).stdout.split() == ["active"] * len(units)
    assert "enabled" not in rehearsal.upg.run(["systemctl", "is-enabled", *units], check=False).stdout.split()


@pytest.mark.parametrize(
    ("command", "query"),
    [
        (
            "server list --all-projects",
            "SELECT uuid FROM nova.instances WHERE deleted = 0 AND vm_state <> 'soft-delete'",
        ),
        ("volume list --all-projects", "SELECT id FROM cinder.volumes WHERE NOT deleted"),
        ("image list", "SELECT id FROM glance.images WHERE NOT deleted"),
        ("network list", "SELECT id FROM neutron.networks"),
    ],
    ids=lambda text: text.split()[0],
)
def test_real_client_lists_on_the_copy_what_production_holds(
    rehearsal: Rehearsal, lab: Lab, undisturbed: dict[str, object], command: str, query: str
) -> None:
    """The verification's own verdict, through the `openstack` command and production's tables."""
    held = json.loads((lab.folder / "passwords.json").read_text())
    account = {
        "OS_AUTH_URL": "http://upg01:5000/v3", "OS_USERNAME": "upgrader", "OS_PASSWORD": held["keystone_upgrade"],
        "OS_PROJECT_NAME": "service", "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default",
        "OS_IDENTITY_API_VERSION": "3",
    }  # fmt: skip
    words = [*(f"{key}={value}" for key, value in account.items()), "/opt/clients/bin/openstack", *command.split()]
    listed = json.loads(rehearsal.upg.run(["env", *words, "-f", "json"]).stdout)
    assert sorted(row["ID"] for row in listed) == sorted(rehearsal.column(query))


def test_verification_can_be_asked_again_at_any_time(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    ran = rehearsal.run("verify", "--node", "upg01", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["schema"] == "upgrader.verification/1"
    counts = {call["call"]: (call["found"], call["expected"]) for call in document["calls"]}
    instances = rehearsal.scalar("SELECT COUNT(*) FROM nova.instances WHERE deleted = 0 AND vm_state <> 'soft-delete'")
    assert counts["servers"] == (instances, instances)
    assert len(counts) == 16


def test_verification_names_a_server_that_is_gone(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    """The judgement can fail, for the right reason."""
    one = rehearsal.scalar("SELECT uuid FROM nova_upgrade.instances WHERE deleted = 0 AND vm_state = 'active' LIMIT 1")
    hide = "UPDATE nova_upgrade.instances SET deleted = {} WHERE uuid = '{}'"
    rehearsal.execute(hide.format("id", one))
    try:
        ran = rehearsal.run("verify", "--read-only", "-o", "json")
    finally:
        rehearsal.execute(hide.format("0", one))
    assert ran.returncode == 3
    (finding,) = json.loads(ran.stdout)["findings"]
    assert f"missing: {one}" in finding["what"]
    assert "1 blocker" in ran.stderr.strip().splitlines()[-1]


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
    rehearsal.wait_for_idle_minions()
    return killed & wanted


def test_command_killed_in_every_step_ends_like_an_undisturbed_run(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    """SIGKILL once in each step, after its intent is written or while its job runs, and resume each time."""
    steps = [step["id"] for step in json.loads(undisturbed["ran"].stdout)["steps"]]  # type: ignore[attr-defined]
    left = set(steps)
    left -= kill_in(rehearsal, steps, left, 0.3)
    if json.loads(rehearsal.run("status", "-o", "json").stdout)["state"] != "finished":
        ran = rehearsal.run("resume")
        assert ran.returncode == 0, ran.stderr
    assert json.loads(rehearsal.run("status", "-o", "json").stdout)["state"] == "finished"
    assert rehearsal.contents() == undisturbed["contents"]
    assert rehearsal.checksums() == undisturbed["before"]
    for wait in (0.05, 0.0):
        left -= kill_in(rehearsal, steps, left, wait) if left else set()
    assert left == set()


def test_sources_and_clones_stand_side_by_side(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT schema_name FROM information_schema.schemata")
        present = {row[0] for row in cursor.fetchall()}
    assert set(SOURCES) | set(CLONES) <= present
