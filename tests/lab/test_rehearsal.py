"""The stage test-upgrade on real nodes: undisturbed, judged through other doors, and killed in the middle of its steps."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from tests.conftest import SOAK
from tests.support.planted import ALTERNATIVES, PLANTED
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
# One of each kind of work; ``./test.sh soak`` kills in every step.
SAMPLE = {
    "backup-create",
    "clone-load",
    "nova-online-newton",
    "copy-account",
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


# The table of each source that the upgrade is sure to change, and everything that acts by itself, by its number.
CHANGED = {
    "keystone": "endpoint", "glance": "migrate_version", "nova": "instance_extra", "nova_api": "migrate_version", "cinder": "migrate_version",
    "neutron": "alembic_version", "heat": "migrate_version",
}  # fmt: skip
ACTING = """
SELECT (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_name LIKE 'billed%')
     + (SELECT COUNT(*) FROM information_schema.routines WHERE routine_name LIKE 'billed%')
     + (SELECT COUNT(*) FROM information_schema.events WHERE event_name LIKE 'billed%')
     + (SELECT COUNT(*) FROM information_schema.views WHERE table_name LIKE 'billed%')
"""


def plant(rehearsal: Rehearsal) -> None:
    """In each source a trigger, an event, a routine and a view whose bodies name a database of the operator's own."""
    for name, table in CHANGED.items():
        into = f"INSERT INTO billing.events (what) VALUES ('{name}')"
        rehearsal.execute(f"CREATE TRIGGER {name}.billed_trigger AFTER UPDATE ON {name}.{table} FOR EACH ROW {into}")
        rehearsal.execute(
            f"CREATE EVENT {name}.billed_event ON SCHEDULE EVERY 1 DAY STARTS NOW() + INTERVAL 1 DAY DO {into}"
        )
        rehearsal.execute(f"CREATE PROCEDURE {name}.billed_procedure() {into}")
        rehearsal.execute(f"CREATE VIEW {name}.billed_view AS SELECT id FROM billing.events")
    begun = [row["step"] for row in rehearsal.journal() if row["event"] == "step-started"]
    assert "backup-create" not in begun, "the backup has to have them all"


@pytest.fixture(scope="module")
def oddities(rehearsal: Rehearsal) -> dict[str, Any]:
    """What preflight and the stage say of a cloud with every oddity at once, and whether either wrote; then each remedy is pasted."""
    with contextlib.closing(rehearsal.connect()) as connection, connection.cursor() as cursor:
        for fault, statements in PLANTED.items():
            for statement in statements if fault not in ALTERNATIVES else ():
                cursor.execute(statement)
        broken = rehearsal.checksums()
        stage, preflight = rehearsal.run(*STAGE, "--restart"), rehearsal.run("preflight", "-o", "json")
        untouched = rehearsal.checksums() == broken
        findings = json.loads(preflight.stdout)["findings"]
        for finding in findings:
            for statement in finding["statements"] if (finding.get("service"), finding.get("id")) in PLANTED else ():
                cursor.execute(statement)
    return {"stage": stage, "preflight": preflight, "findings": findings, "untouched": untouched}


def test_one_preflight_names_every_oddity_of_every_service_and_the_stage_is_refused(oddities: dict[str, Any]) -> None:
    """That the remedies help is what ``undisturbed`` shows: a whole rehearsal of the same cloud."""
    named = {(finding.get("service"), finding.get("id")) for finding in oddities["findings"]}
    assert set(PLANTED) - ALTERNATIVES - named == set()
    assert oddities["stage"].returncode == oddities["preflight"].returncode == 3
    assert "at step preflight, which failed" in oddities["stage"].stderr
    said = oddities["stage"].stderr.strip().splitlines()[-1]
    for words in ("keystone: ", "heat: ", "neutron: ", "cinder: ", "nova: ", "deadbeef", "m1.tiny"):
        assert words in said, words
    assert oddities["untouched"]


@pytest.fixture(scope="module")
def undisturbed(rehearsal: Rehearsal, secrets: list[str], oddities: dict[str, Any]) -> dict[str, object]:
    """One run that nobody disturbs, watched for secrets, of a cloud that was mended by what preflight said."""
    rehearsal.execute("CREATE DATABASE billing")
    rehearsal.execute("CREATE TABLE billing.events (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(255))")
    before = rehearsal.checksums(rehearsal.production())
    for name in ("ctl01", "vip01", "upg01"):
        rehearsal.lab.node(name).run(["nft", "reset", "counters"])
    # After preflight, which would refuse them, and before the backup, which has them all.
    with Watcher(secrets) as watcher, rehearsal.when("preflight", "step-finished", lambda: plant(rehearsal)):
        ran = rehearsal.run(*STAGE, "--restart", "-o", "json")
    acting = rehearsal.scalar(ACTING)
    for name in SOURCES:
        for kind in ("TRIGGER", "EVENT", "PROCEDURE", "VIEW"):
            rehearsal.execute(f"DROP {kind} {name}.billed_{kind.lower()}")
    return {
        "ran": ran,
        "acting": acting,
        "before": before,
        "after": rehearsal.checksums(rehearsal.production()),
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


def test_every_other_database_is_unchanged_whatever_acts_in_the_sources(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    before: dict[str, str] = undisturbed["before"]  # type: ignore[assignment]
    assert {name.split(".")[0] for name in before} == {*SOURCES, "billing"}
    assert undisturbed["after"] == before
    assert undisturbed["acting"] == 4 * len(SOURCES)
    assert rehearsal.scalar("SELECT COUNT(*) FROM billing.events") == 0


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


KNOCK = "import socket; socket.create_connection(('ctl01', 5672), 5)"


def egress_refused(rehearsal: Rehearsal) -> str:
    """What the upgrade node's own module says of the newest run's rules."""
    words = ["salt", "--out=txt", "upg01*", "upgrader_egress.refused", f"run={rehearsal.run_id()}"]
    return rehearsal.cfg.run(words, check=False).stdout


def test_production_sees_no_packet(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    """Counted on production's nodes by their own packet filter: the database is all that the upgrade node may ask."""
    counted = {name: rehearsal.packets(name) for name in ("ctl01", "vip01")}
    assert {name: found["production"] for name, found in counted.items()} == {"ctl01": 0, "vip01": 0}
    assert counted["vip01"]["database"] > 1000
    # The counter counts: one knock at production's queue is seen, once the kernel of the upgrade node lets it out.
    rehearsal.upg.run(["nft", "delete", "table", "inet", "upgrader_egress"])
    try:
        rehearsal.upg.run(["python3", "-c", KNOCK])
        assert rehearsal.packets("ctl01")["production"] > 0
        assert "the egress rules of this run do not stand any more" in egress_refused(rehearsal)
    finally:
        rehearsal.upg.run(["nft", "-f", "/etc/upgrader/egress.nft"])


def test_knock_at_productions_queue_is_refused_by_the_kernel_and_named(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    steps = {step["id"]: step for step in json.loads(undisturbed["ran"].stdout)["steps"]}  # type: ignore[attr-defined]
    assert steps["verify-egress"]["state"] == "done"
    before = rehearsal.packets("ctl01")["production"]
    assert "nothing tried to reach a service of production" in egress_refused(rehearsal)
    try:
        assert "ConnectionRefusedError" in rehearsal.upg.run(["python3", "-c", KNOCK], check=False).stderr
        assert rehearsal.packets("ctl01")["production"] == before
        said = egress_refused(rehearsal)
        assert "10.20.0.11 port 5672 (tcp), message queue (" in said
        assert "let it name this node" in said
    finally:
        rehearsal.upg.run(["nft", "-f", "/etc/upgrader/egress.nft"])


def test_rules_of_the_upgrade_node_come_back_at_boot(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    rehearsal.upg.run(["nft", "delete", "table", "inet", "upgrader_egress"])
    assert rehearsal.upg.run(["systemctl", "is-enabled", "upgrader-egress"]).stdout.strip() == "enabled"
    rehearsal.upg.run(["systemctl", "restart", "upgrader-egress"])
    assert "ConnectionRefusedError" in rehearsal.upg.run(["python3", "-c", KNOCK], check=False).stderr
    rehearsal.upg.run(["nft", "-f", "/etc/upgrader/egress.nft"])


def test_no_name_server_is_asked_that_does_not_answer(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    """Whoever asks one waits for it: a minute was lost at the first request after each start of the copy."""
    counted = rehearsal.packets("upg01")
    assert counted["questions"] == counted["answers"]
    # The counters count: a question to nobody is seen, and has no answer.
    ask = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.2', 53))"
    rehearsal.upg.run(["python3", "-c", ask])
    assert rehearsal.packets("upg01") == {**counted, "questions": counted["questions"] + 1}


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


def test_command_killed_again_and_again_ends_like_an_undisturbed_run(
    rehearsal: Rehearsal, undisturbed: dict[str, object]
) -> None:
    """SIGKILL once in each step, after its intent is written or while its job runs, and resume each time."""
    steps = [step["id"] for step in json.loads(undisturbed["ran"].stdout)["steps"]]  # type: ignore[attr-defined]
    assert set(steps) >= SAMPLE
    left = set(steps) if SOAK else set(SAMPLE)
    left -= kill_in(rehearsal, steps, left, 0.3)
    if json.loads(rehearsal.run("status", "-o", "json").stdout)["state"] != "finished":
        ran = rehearsal.run("resume")
        assert ran.returncode == 0, ran.stderr
    assert json.loads(rehearsal.run("status", "-o", "json").stdout)["state"] == "finished"
    assert rehearsal.contents() == undisturbed["contents"]
    assert rehearsal.checksums(rehearsal.production()) == undisturbed["before"]
    for wait in (0.05, 0.0):
        left -= kill_in(rehearsal, steps, left, wait) if left else set()
    assert left == set()


def test_sources_and_clones_stand_side_by_side(rehearsal: Rehearsal, undisturbed: dict[str, object]) -> None:
    with rehearsal.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT schema_name FROM information_schema.schemata")
        present = {row[0] for row in cursor.fetchall()}
    assert set(SOURCES) | set(CLONES) <= present
