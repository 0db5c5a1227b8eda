"""Each trap of docs/traps.md provoked for real, first as plain nova-manage shows it, then as the driver judges it."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import threading
import time
from pathlib import Path

import pymysql
import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import API, CELL0, INSTANCES, MAIN, PASSWORD, SOCKET, VENV, Bench

pytestmark = pytest.mark.heavy
SPECLESS = (
    f"SELECT COUNT(*) FROM {MAIN}.instances i WHERE deleted = 0"
    f" AND NOT EXISTS (SELECT 1 FROM {API}.request_specs s WHERE s.instance_uuid = i.uuid)"
)


def failure(bench: Bench, function: str, **arguments: object) -> str:
    with pytest.raises(CommandExecutionError) as caught:
        bench.nova(function, **arguments)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_trap_1_a_raising_online_migration_is_a_failure_though_nova_exits_0(newton: Bench) -> None:
    newton.query(
        f"UPDATE {MAIN}.instance_extra SET flavor = '{{\"cur\": 1}}' WHERE instance_uuid IN (SELECT uuid FROM {MAIN}.instances i WHERE deleted = 0"
        f" AND NOT EXISTS (SELECT 1 FROM {API}.request_specs s WHERE s.instance_uuid = i.uuid)) LIMIT 1"
    )
    sentence = failure(newton, "online_data_migrations")
    assert "migrate_instances_add_request_spec raised" in sentence and "exit code" in sentence
    assert newton.manage("db", "online_data_migrations").returncode == 0


def test_trap_2_server_group_members_without_spec_are_named_as_the_cause(newton: Bench) -> None:
    newton.query(
        f"DELETE FROM {API}.request_specs WHERE instance_uuid IN (SELECT instance_id FROM {MAIN}.instance_group_member)"
    )
    assert "server-group members stop it (nova bug 1830747)" in failure(newton, "online_data_migrations")


def test_trap_3_a_run_of_instances_with_specs_does_not_stop_us(newton: Bench) -> None:
    newest = newton.query(
        f"SELECT uuid FROM {MAIN}.instances WHERE deleted = 0 ORDER BY created_at DESC, id DESC LIMIT 12"
    )
    assert newton.nova("online_data_migrations")["changed"]
    newton.query(f"DELETE FROM {API}.request_specs WHERE instance_uuid IN %s", (tuple(row[0] for row in newest[:3]),))
    newton.query(f"DELETE FROM {API}.request_specs WHERE instance_uuid = '00000000-0000-0000-0000-000000000000'")
    plain = newton.manage("db", "online_data_migrations", "--max-count", "10")
    assert plain.returncode == 0 and newton.number(SPECLESS) == 3, plain.stdout
    answer = newton.nova("online_data_migrations", max_count=10)
    assert answer["batches"] > 1 and newton.number(SPECLESS) == 0


def test_a_marker_past_instances_without_spec_is_set_back_once(migrated: Bench) -> None:
    migrated.query(
        f"DELETE FROM {API}.request_specs WHERE instance_uuid IN (SELECT uuid FROM {MAIN}.instances WHERE deleted = 0)"
        f" AND instance_uuid NOT IN (SELECT instance_uuid FROM {API}.instance_group_member) ORDER BY id LIMIT 4"
    )
    left = migrated.number(SPECLESS)
    assert left > 0
    assert migrated.nova("online_data_migrations")["changed"]
    assert migrated.number(SPECLESS) == 0


@pytest.mark.soak
def test_rows_that_match_for_ever_but_never_move_end_the_loop(newton: Bench) -> None:
    newton.query(
        f"INSERT INTO {API}.flavors (name, memory_mb, vcpus, swap, flavorid, is_public, disabled) VALUES ('m1.tiny', 1, 1, 0, '1', 1, 0)"
    )
    assert "does nothing more, but is not done; left: 1 flavors" in failure(
        newton, "online_data_migrations", max_count=20
    )


def test_trap_4_api_sync_without_cells_fails_with_the_order_to_keep(migrated: Bench) -> None:
    sentence = failure(migrated, "api_db_sync", version=31)
    assert "stays at 29 instead of 31" in sentence and sentence.endswith(
        "map cell0 and create the cell beside it first"
    )


def test_trap_5_missing_mitaka_migrations_are_said_to_need_mitakas_code(mitaka: Bench) -> None:
    mitaka.query(f"UPDATE {MAIN}.compute_nodes SET uuid = NULL LIMIT 3")
    sentence = failure(mitaka, "db_sync", version=334)
    assert "stays at 329 instead of 334" in sentence and "3 unmigrated records in the compute_nodes table" in sentence
    assert "only Mitaka's own" in sentence
    mitaka.query(f"UPDATE {MAIN}.compute_nodes SET uuid = UUID() WHERE uuid IS NULL")
    assert mitaka.nova("db_sync", version=334)["after"]["main"] == 334


def test_trap_6_final_sync_before_online_migrations_fails_and_can_be_repeated(newton: Bench) -> None:
    sentence = failure(newton, "db_sync", version=347)
    assert (
        "stays at 344" in sentence
        and "8 unmigrated flavors" in sentence
        and sentence.endswith("run online_data_migrations to its end first")
    )


def test_trap_8_missing_cell0_database_is_found_before_main_is_touched(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    migrated.query(f"DROP DATABASE {CELL0}")
    sentence = failure(migrated, "db_sync", version=347)
    assert f"{CELL0} does not exist" in sentence and migrated.versions()["main"] == 334
    plain = migrated.manage("db", "sync")
    assert plain.returncode == 0 and "ERROR: Could not access cell0." in plain.stdout
    migrated.query(f"CREATE DATABASE {CELL0} CHARACTER SET utf8")
    assert migrated.nova("db_sync", version=347)["after"]["cell0"] == 347


def test_trap_11_a_second_cell1_under_another_spelling_is_refused(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    migrated.nova("create_cell")
    assert migrated.manage("cell_v2", "create_cell", "--name", "cell1").returncode == 2
    stored = migrated.query(f"SELECT transport_url FROM {API}.cell_mappings WHERE name = 'cell1'")[0][0]
    other = stored.replace("%2Fopenstack", "/openstack")
    assert other != stored
    assert migrated.manage("cell_v2", "create_cell", "--name", "cell1", "--transport-url", other).returncode == 0
    sentence = failure(migrated, "create_cell")
    assert sentence.startswith("exactly one cell, cell1, is expected") and sentence.count("cell1 (") == 2


def test_trap_12_a_cell0_that_leads_elsewhere_is_refused(migrated: Bench) -> None:
    migrated.manage("cell_v2", "map_cell0", "--database_connection", "mysql+pymysql://x:y@other/elsewhere")
    assert "cell0" in failure(migrated, "map_cell0")
    assert migrated.manage("cell_v2", "map_cell0").stdout.strip() == "Cell0 is already setup"


def test_trap_13_a_host_without_mapping_is_mapped_and_proven(ocata: Bench) -> None:
    ocata.query(f"DELETE FROM {API}.host_mappings WHERE host = 'cmp002'")
    answer = ocata.nova("discover_hosts")
    assert answer["before"]["mapped"] == 3 and answer["after"] == {"hosts": 4, "mapped": 4, "elsewhere": 0}


def test_trap_14_a_crash_and_more_to_do_are_told_apart_though_both_exit_1(migrated: Bench) -> None:
    from upgrader_node.nova import judgement
    from upgrader_node.service import manage

    crashed = migrated.manage(
        "cell_v2", "map_instances", "--cell_uuid", "11111111-2222-3333-4444-555555555555", "--max-count", "9"
    )
    assert crashed.returncode == 1
    outcome = manage.Outcome(
        "nova-manage cell_v2 map_instances", crashed.returncode, crashed.stdout, crashed.stderr, 1.0
    )
    ok, sentence = judgement.judge_exit(outcome, (0, 1))
    assert not ok and "CellMappingNotFound: Cell 11111111-2222-3333-4444-555555555555 has no mapping." in sentence


@pytest.mark.soak
def test_trap_14_an_interrupted_mapping_is_resumed_at_its_marker(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    uuid = migrated.nova("create_cell")["uuid"]
    assert migrated.manage("cell_v2", "map_instances", "--cell_uuid", uuid, "--max-count", "20").returncode == 1
    assert migrated.nova("cells")["instances"]["markers"] == 1
    answer = migrated.nova("map_instances", max_count=30, fast=False)
    assert (
        answer["after"] == {"instances": INSTANCES, "unmapped": 0, "without cell": 0, "markers": 0}
        and answer["batches"] == 2
    )


def test_trap_14_mappings_without_a_cell_are_a_failure(ocata: Bench) -> None:
    ocata.query(f"UPDATE {API}.instance_mappings SET cell_id = NULL LIMIT 1")
    assert "1 instance mapping(s) exist without a cell" in failure(ocata, "map_instances")


def test_trap_16_an_unquoted_cell0_url_is_written_anew(migrated: Bench) -> None:
    assert migrated.manage("cell_v2", "map_cell0").returncode == 0
    assert migrated.nova("cells")["cell0_quoted"] is False
    answer = migrated.nova("map_cell0")
    assert answer["changed"] and "quoted" in answer["comment"]
    assert migrated.nova("cells")["cell0_quoted"] is True
    assert migrated.nova("map_cell0")["changed"] is False


def test_ddl_of_a_lost_client_is_waited_for(mitaka: Bench) -> None:
    blocker = pymysql.connect(unix_socket=str(SOCKET), user="root")
    lost = pymysql.connect(host=mitaka.host, port=mitaka.port, user="nova_bench", password=PASSWORD, database=MAIN)
    with blocker.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"SELECT COUNT(*) FROM {MAIN}.agent_builds")
    with lost.cursor() as cursor:
        altering = threading.Thread(target=cursor.execute, args=("ALTER TABLE agent_builds ADD COLUMN lost INT",))
        altering.start()
        deadline = time.monotonic() + 10
        while not mitaka.number("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'ALTER%'"):
            assert time.monotonic() < deadline
        sentence = failure(mitaka, "api_db_sync", version=20, patience=1)
        assert "ALTER TABLE agent_builds" in sentence and mitaka.versions()["api"] == 7
        release = threading.Timer(1, blocker.commit)
        release.start()
        assert mitaka.nova("api_db_sync", version=20, patience=30)["after"] == 20
        release.join()
        altering.join()
    blocker.close()
    lost.close()


def test_an_orphaned_nova_manage_is_waited_for(mitaka: Bench) -> None:
    lock = next(Path(mitaka.root).rglob("upgrader-nova-*.lock"), None)
    if lock is None:
        mitaka.nova("api_db_sync", version=20)
        lock = next(Path(mitaka.root).rglob("upgrader-nova-*.lock"))
    with open(lock, "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sentence = failure(mitaka, "db_sync", version=334, patience=1)
    assert "earlier, interrupted run is still at work" in sentence and mitaka.versions()["main"] == 319


def test_a_nova_manage_that_does_not_end_is_stopped(mitaka: Bench) -> None:
    """It waits for a table that is being read."""
    reader = pymysql.connect(unix_socket=str(SOCKET), user="root", database=MAIN, autocommit=False)
    with contextlib.closing(reader), reader.cursor() as cursor:
        cursor.execute("SELECT 1 FROM instance_extra LIMIT 1")
        sentence = failure(mitaka, "db_sync", version=334, timeout=2)
    assert "was stopped after 2 s" in sentence
    assert mitaka.nova("db_sync", version=334, patience=60)["after"]["main"] == 334


@pytest.mark.soak
def test_a_killed_online_migration_is_finished_by_running_it_again(newton: Bench) -> None:
    script = [
        str(VENV / "bin" / "nova-manage"),
        "--config-file",
        str(newton.conf),
        "db",
        "online_data_migrations",
        "--max-count",
        "2000",
    ]
    before = newton.number(f"SELECT COUNT(*) FROM {API}.request_specs")
    process = subprocess.Popen(script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while newton.number(f"SELECT COUNT(*) FROM {API}.request_specs") == before and process.poll() is None:
        assert time.monotonic() < deadline
    process.kill()
    process.wait()
    newton.nova("online_data_migrations")
    assert not any(newton.nova("remaining").values())
