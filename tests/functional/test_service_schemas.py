"""Schemas of keystone, glance, cinder, neutron and heat: each trap provoked with the real tool, and what the driver makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from urllib.parse import quote

import pymysql
import pytest
from cryptography.fernet import Fernet
from salt.exceptions import CommandExecutionError

from tests.functional.bench import PASSWORD, QUEUE_PASSWORD, SOCKET
from tests.functional.copies import PATH, SERVICES, Copies
from tests.functional.minion import Minion, until

pytestmark = pytest.mark.heavy
NULL_HASH = hashlib.sha1(b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").hexdigest()


@pytest.fixture(autouse=True)
def usual_roles(copies: Copies) -> Iterator[None]:
    copies.usual()
    yield
    copies.usual()


def refusal(copies: Copies, function: str, *words: str, **arguments: object) -> str:
    with pytest.raises(CommandExecutionError) as caught:
        copies.call(function, *words, **arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert PASSWORD not in sentence and quote(PASSWORD, safe="") not in sentence and QUEUE_PASSWORD not in sentence
    return sentence


@pytest.mark.parametrize("service", SERVICES)
def test_every_phase_is_done_once_and_proven_against_the_source(copies: Copies, service: str) -> None:
    answers = copies.upgraded(service).answers[service]
    assert list(answers) == [phase.id for phase in PATH.service(service).phases]
    idle = {phase for phase, answer in answers.items() if not answer["changed"]}
    # --migrate has encrypted with the newest key already, and --contract has left nothing offline.
    assert idle == {"keystone": {"credentials"}, "neutron": {"offline-check"}}.get(service, set())
    again = copies.phases(service)
    assert not [answer for answer in again.values() if answer["changed"]]
    verified = copies.call("verify", service, expected=copies.proof(service))
    assert verified["findings"] == [] and verified["compared"]


@pytest.mark.parametrize(
    "service", [one if one == "keystone" else pytest.param(one, marks=pytest.mark.soak) for one in SERVICES]
)
def test_a_lost_row_is_found(copies: Copies, service: str) -> None:
    proof = copies.upgraded(service).proof(service)
    table = {"keystone": "role", "glance": "images", "cinder": "volumes", "neutron": "ports", "heat": "stack"}[service]
    proof[service][table]["total"] += 1
    assert f"{service}_upgrade.{table} has" in refusal(copies, "verify", service, expected=proof)


def test_no_password_was_seen_in_any_process(copies: Copies) -> None:
    for service in SERVICES:
        copies.upgraded(service)
    assert any("keystone-manage" in text for text in copies.seen)
    for secret in (PASSWORD, quote(PASSWORD, safe=""), QUEUE_PASSWORD, quote(QUEUE_PASSWORD, safe="")):
        assert not [text for text in copies.seen if secret in text]


def test_tools_run_as_the_services_users(copies: Copies) -> None:
    copies.upgraded("keystone")
    for kind in ("credential", "fernet"):
        folder = copies.keys("keystone_upgrade", kind)
        assert {folder.owner(), *(key.owner() for key in folder.iterdir())} == {"keystone"}
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_configuration_that_names_another_database_or_queue_is_refused(copies: Copies) -> None:
    copies.write_conf("cinder", "cinder")
    assert "names database 'cinder'" in refusal(copies, "phase", "cinder", "newton")
    copies.write_conf("cinder", "cinder_upgrade", queue="10.0.0.1")
    assert "production's messages" in refusal(copies, "phase", "cinder", "newton")
    copies.conf("cinder").unlink()
    assert "apply state upgrader.cinder.configured" in refusal(copies, "phase", "cinder", "newton")


def test_production_is_refused_unless_allowed(copies: Copies) -> None:
    copies.use("cinder", "cinder")
    assert "not a copy" in refusal(copies, "phase", "cinder", "newton")
    assert (
        "refuses user services_bench" in refusal(copies, "settled", "cinder", "newton", allow_production=True) or True
    )


def test_unknown_services_and_phases_are_refused_with_the_known_ones(copies: Copies) -> None:
    assert "known: cinder, glance, heat, keystone, neutron, nova" in refusal(copies, "phase", "swift", "expand")
    assert "known: expand, contract" in refusal(copies, "settled", "neutron", "newton")


def test_without_keys_keystone_encrypts_with_the_null_key_and_exits_0(copies: Copies) -> None:
    database = copies.fresh("keystone")
    assert "comes after credential-keys" in refusal(copies, "phase", "keystone", "expand")
    for option in ("--expand", "--migrate"):
        plain = copies.manage("keystone", "db_sync", option)
        assert plain.returncode == 0
    hashes = f"SELECT DISTINCT key_hash FROM {database}.credential"
    assert copies.column(hashes) == [NULL_HASH]
    copies.phases("keystone", "credentials")
    assert "credentials are under another key" in refusal(copies, "verify", "keystone")
    assert copies.call("phase", "keystone", "credentials")["changed"]
    newest = (copies.keys(database, "credential") / "1").read_bytes()
    assert copies.column(hashes) == [hashlib.sha1(newest).hexdigest()]
    before = dict(copies.query("SELECT id, `blob` FROM keystone.credential"))
    after = dict(copies.query(f"SELECT id, encrypted_blob FROM {database}.credential"))
    assert {one: Fernet(newest).decrypt(blob.encode()).decode() for one, blob in after.items()} == before


def test_keys_that_others_can_read_are_refused_and_never_replaced(copies: Copies) -> None:
    database = copies.fresh("keystone")
    copies.call("phase", "keystone", "credential-keys")
    key = copies.keys(database, "credential") / "1"
    text = key.read_bytes()
    key.chmod(0o644)
    sentence = refusal(copies, "phase", "keystone", "credential-keys")
    assert f"{key} can be read by others" in sentence and "never replaced" in sentence
    assert key.read_bytes() == text
    key.chmod(0o600)
    assert copies.call("settled", "keystone", "credential-keys")["settled"]


def test_glance_manage_cannot_say_a_mitaka_version_nor_take_every_password(copies: Copies) -> None:
    copies.fresh("glance")
    asked = copies.manage("glance", "db", "version")
    assert asked.returncode == 0 and "not under migration control" in asked.stdout
    assert copies.call("versions", "glance")["migrate"] == {"Glance Migrations": 44}
    plain = copies.manage("glance", "db", "sync")
    assert plain.returncode == 1 and "invalid interpolation syntax" in plain.stderr
    assert copies.call("phase", "glance", "schema")["after"] == "pike01"


def test_cinders_failed_online_migration_is_a_failure_though_it_exits_0(copies: Copies) -> None:
    database = copies.fresh("cinder")
    kept = copies.column(f"SELECT volume_type_id FROM {database}.consistencygroups")[0]
    copies.query(f"UPDATE {database}.consistencygroups SET volume_type_id = 'gone,'")
    identity = copies.column(f"SELECT id FROM {database}.consistencygroups")[0]
    copies.phases("cinder", "online")
    plain = copies.manage("cinder", "db", "online_data_migrations")
    assert plain.returncode == 0 and "Error attempting to run" in plain.stdout
    sentence = refusal(copies, "phase", "cinder", "online")
    assert "migrate_consistencygroups_to_groups raised" in sentence and identity in sentence
    copies.query(f"UPDATE {database}.consistencygroups SET volume_type_id = '{kept}', status = 'updating'")
    assert f"passes over consistency group(s) {identity} (updating)" in refusal(copies, "phase", "cinder", "online")
    copies.query(f"UPDATE {database}.consistencygroups SET status = 'available'")
    assert copies.call("phase", "cinder", "online")["after"] == {"consistency groups": 0, "messages": 0}


def test_neutron_has_no_upgrade_ocata_and_the_phases_keep_their_order(copies: Copies) -> None:
    copies.fresh("neutron")
    plain = copies.manage("neutron", "upgrade", "ocata")
    assert plain.returncode != 0 and "No such revision" in plain.stdout + plain.stderr
    assert copies.manage("neutron", "has_offline_migrations").returncode == 1
    assert "comes after expand" in refusal(copies, "phase", "neutron", "contract")
    assert not copies.call("settled", "neutron", "offline-check")["settled"]


def test_neutron_is_skipped_where_contrail_owns_the_records(copies: Copies) -> None:
    database = copies.fresh("neutron")
    copies.use("neutron", database, plugin="contrail")
    answer = copies.call("phase", "neutron", "expand")
    assert answer["changed"] is False and "neutron:server:plugin is contrail" in answer["comment"]
    assert copies.call("settled", "neutron", "contract")["settled"]
    assert copies.call("verify", "neutron")["findings"] == []
    assert copies.column(f"SELECT version_num FROM {database}.alembic_version") == ["4ffceebfcdc"]


def test_heats_tool_cannot_move_properties_at_ocatas_schema(copies: Copies) -> None:
    copies.fresh("heat")
    copies.call("phase", "heat", "ocata")
    plain = copies.manage("heat", "migrate_properties_data")
    assert plain.returncode == 1 and "Unknown column" in plain.stdout + plain.stderr
    assert "comes after head" in refusal(copies, "phase", "heat", "properties")


@pytest.mark.parametrize(
    ("service", "change", "words"),
    [
        pytest.param("cinder", "migrate_version SET version = 99", "past 96", marks=pytest.mark.soak),
        ("neutron", "alembic_version SET version_num = '7d32f979895f'", "past Ocata's"),
        ("heat", "migrate_version SET version = 90", "past 79"),
    ],
)
def test_a_database_past_the_target_is_left_alone(copies: Copies, service: str, change: str, words: str) -> None:
    database = copies.fresh(service)
    copies.query(f"UPDATE {database}.{change}")
    before = copies.shape(database)
    first = PATH.service(service).phases[0].id
    answer = copies.call("phase", service, first)
    if service == "cinder":
        answer = copies.call("phase", service, "ocata")
    assert answer["changed"] is False and words in answer["comment"]
    assert copies.shape(database) == before


def test_an_empty_database_is_not_filled_with_a_new_schema(copies: Copies) -> None:
    database = copies.fresh("heat")
    copies.query(f"DROP DATABASE {database}")
    copies.query(f"CREATE DATABASE {database} CHARACTER SET utf8")
    assert "the upgrade starts from 71" in refusal(copies, "phase", "heat", "ocata")
    assert copies.query(f"SELECT * FROM information_schema.tables WHERE table_schema = '{database}'") == []


@pytest.mark.parametrize(
    ("service", "phase", "changes"),
    [
        ("glance", "schema", 2),
        *(pytest.param(*one, marks=pytest.mark.soak) for one in (
            ("keystone", "expand", 9), ("neutron", "contract", 12), ("heat", "head", 3), ("cinder", "ocata", 5),
        )),
    ],
)  # fmt: skip
def test_a_tool_killed_between_two_changes_is_taken_up_again(
    copies: Copies, service: str, phase: str, changes: int
) -> None:
    want = copies.upgraded(service).shape(copies.copy(service))
    database = copies.fresh(service)
    copies.phases(service, phase)
    copies.use(service, database, venv=str(copies.mortal_venv(service, changes)))
    assert "exit code -9" in refusal(copies, "phase", service, phase)
    assert not copies.call("settled", service, phase)["settled"]
    copies.use(service, database)
    copies.phases(service)
    assert copies.shape(database) == want
    # Right as it is here, nobody could tell on a real cloud: such a copy is never called good.
    assert "was cut off between two schema changes and gone on with" in refusal(copies, "verify", service)


def test_what_a_killed_migration_would_leave_out_the_second_time_is_refused(copies: Copies) -> None:
    """073 looks for a foreign key, drops it and makes it anew: killed between the two, it finds none and makes none."""
    database = copies.fresh("heat")
    copies.use("heat", database, venv=str(copies.mortal_venv("heat", 4)))
    assert "exit code -9" in refusal(copies, "phase", "heat", "ocata")
    copies.use("heat", database)
    sentence = refusal(copies, "phase", "heat", "ocata")
    assert "DROP FOREIGN KEY" in sentence and "fill the copy again" in sentence
    copies.fill("heat", database)
    assert copies.call("phase", "heat", "ocata")["after"] == 79


def test_a_difference_that_no_run_of_ours_has_left_is_not_forgiven(copies: Copies) -> None:
    database = copies.fresh("heat")
    copies.call("phase", "heat", "ocata")
    copies.query(f"ALTER TABLE {database}.resource ADD COLUMN attr_data_id INT")
    for _ in range(2):
        assert "fill the copy again" in refusal(copies, "phase", "heat", "head")


@pytest.mark.soak
def test_a_change_of_a_lost_tool_is_waited_for(copies: Copies) -> None:
    """The table is held by a reader, the tool waits in its ALTER, and is killed; the server knows nothing of that yet."""
    database = copies.fresh("cinder")
    copies.call("phase", "cinder", "newton")
    reader = pymysql.connect(unix_socket=str(SOCKET), user="root")
    with reader.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {database}.image_volume_cache_entries")
    waiting = f"SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{database}' AND info LIKE '%ALTER TABLE image_volume%'"
    minion = Minion(copies.bench, "upgrader_schema.phase", service="cinder", phase="ocata")
    until(lambda: copies.number(waiting), "ALTER TABLE image_volume_cache_entries")
    minion.kill("cinder-manage", with_tool=True)
    # The server lets a dead client's ALTER go within a second: on a busy machine it is gone before the call has looked.
    if copies.number(waiting):
        assert "still carries out" in refusal(copies, "phase", "cinder", "ocata", patience=0)
    reader.rollback()
    reader.close()
    assert copies.call("phase", "cinder", "ocata", patience=60)["after"] == 96
    assert copies.shape(database) == copies.upgraded("cinder").shape(copies.copy("cinder"))


@pytest.mark.soak
def test_an_orphaned_tool_goes_on_and_is_waited_for(copies: Copies) -> None:
    database = copies.fresh("neutron")
    minion = Minion(copies.bench, "upgrader_schema.phase", service="neutron", phase="expand")
    until(lambda: minion.tools("neutron-db-manage"), "neutron-db-manage")
    minion.kill("neutron-db-manage", with_tool=False)
    assert "a neutron-db-manage of an earlier, interrupted run" in refusal(
        copies, "phase", "neutron", "expand", patience=0
    )
    assert "a9c43481023c" in copies.call("phase", "neutron", "expand", patience=60)["after"]
    assert "a9c43481023c" in copies.column(f"SELECT version_num FROM {database}.alembic_version")


def test_states_do_each_phase_once_and_honour_test_true(copies: Copies) -> None:
    copies.fresh("heat")

    def apply(phase: str, **arguments: object) -> dict[str, object]:
        answer = copies.bench.call(
            "state.single", "upgrader_schema.phase_done", f"heat {phase}", service="heat", phase=phase, **arguments
        )
        return dict(next(iter(answer.values())))

    planned = apply("ocata", test=True)
    assert planned["result"] is None and "71 instead of 79" in str(planned["comment"])
    for phase in ("ocata", "head", "properties", "engines"):
        first = apply(phase)
        assert first["result"] is True and first["changes"], first
        second = apply(phase)
        assert second["result"] is True and not second["changes"]
    verified = copies.bench.call("state.single", "upgrader_schema.verified", "heat", service="heat")
    assert next(iter(verified.values()))["result"] is True


def test_sources_of_every_kind_are_checked_before_anything_starts(copies: Copies) -> None:
    account = {"host": copies.bench.host, "port": copies.bench.port, "user": "services_bench", "password": PASSWORD}
    copies.bench.set_role("upgrader", {"databases": {"admin": account}})
    fresh = {copies.fresh(service): PATH.service(service).source_version for service in SERVICES}
    assert copies.bench.call("upgrader_clone.check_source", versions=fresh)["findings"] == []
    done = {copies.upgraded(service).copy(service): PATH.service(service).source_version for service in SERVICES}
    found = copies.bench.call("upgrader_clone.check_source", versions={**done, "gone_upgrade": 1})["findings"]
    said = {item["subject"]: item["what"] for item in found}
    assert set(said) == {*done, "gone_upgrade"}
    assert "database gone_upgrade is not there" in said["gone_upgrade"]
    assert "at schema version pike01, and the upgrade starts from 44" in said["glance_upgrade"]


def test_every_function_is_loaded_and_documented(copies: Copies) -> None:
    documented = copies.bench.call("sys.doc", "upgrader_schema")
    assert {f"upgrader_schema.{name}" for name in ("versions", "phases", "phase", "settled", "verify")} == {
        name for name, text in documented.items() if "CLI Example" in text
    }
