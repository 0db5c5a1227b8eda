"""What is lost half way: clients killed while the server alters a table, killed minions, a server that goes away, two at once."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator

import pymysql
import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import API, INSTANCES, MAIN, SOCKET, Bench, of_phase
from tests.functional.minion import Minion, until

pytestmark = pytest.mark.heavy
PHASE = "upgrader_schema.phase"
ALTERING = (
    f"SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{MAIN}' AND UPPER(LTRIM(info)) LIKE 'ALTER%'"
)
SPECS, MAPPED = (
    f"SELECT COUNT(*) FROM {API}.request_specs",
    f"SELECT COUNT(*) FROM {API}.instance_mappings WHERE cell_id IS NOT NULL",
)


@pytest.fixture
def slow_alters(mitaka: Bench) -> Iterator[Bench]:
    """The server alters tables by copying them, as old ones do, and instance_extra is large enough to see it at work."""
    mitaka.query(f"UPDATE {MAIN}.instance_extra SET flavor = REPEAT('x', 2000) WHERE deleted <> 0")
    columns = "instance_uuid, flavor, deleted"
    many = " CROSS JOIN ".join(f"(SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) t{n}" for n in range(6))
    mitaka.query(f"INSERT INTO {MAIN}.instance_extra ({columns}) SELECT instance_uuid, REPEAT('x', 900), 1 FROM"
                 f" (SELECT instance_uuid FROM {MAIN}.instance_extra LIMIT 15) e CROSS JOIN {many}")  # fmt: skip
    mitaka.query("SET GLOBAL alter_algorithm = 'COPY'")
    yield mitaka
    mitaka.query("SET GLOBAL alter_algorithm = 'DEFAULT'")
    mitaka._stage = ""


@contextlib.contextmanager
def reader(table: str) -> Iterator[None]:
    """A transaction that has read the table: what alters it cannot end before this does."""
    connection = pymysql.connect(unix_socket=str(SOCKET), user="root", database=MAIN, autocommit=False)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
        yield


@pytest.mark.soak  # the server lets a dead client's ALTER go a second after it has copied: too early on a busy machine
def test_alter_of_a_killed_client_is_waited_for_and_the_next_run_ends_right(slow_alters: Bench) -> None:
    minion = Minion(slow_alters, PHASE, **of_phase("db-newton"))
    until(lambda: slow_alters.number(ALTERING + " AND info LIKE '%instance_extra%'"), "ALTER TABLE instance_extra")
    with reader("instance_extra"):
        minion.kill("nova-manage", with_tool=True)
        assert slow_alters.number(ALTERING) == 1, "the server was to go on without its client"
        sentence = failure(slow_alters, "db_sync", version=334, patience=0)
        assert "still carries out 'ALTER TABLE instance_extra" in sentence
        assert slow_alters.number(ALTERING) == 1, "the window was to be open still"
    assert slow_alters.nova("db_sync", version=334, patience=120)["after"]["main"] == 334
    assert slow_alters.number(ALTERING) == 0
    assert slow_alters.query(f"SHOW COLUMNS FROM {MAIN}.instance_extra LIKE 'keypairs'")


def test_minion_and_online_migration_killed_are_taken_up_again(newton: Bench) -> None:
    before = newton.number(SPECS)
    minion = Minion(newton, PHASE, **of_phase("online", fast=False))
    until(lambda: newton.number(SPECS) > before, "a first request spec")
    minion.kill("nova-manage", with_tool=True)
    assert any(newton.nova("remaining").values())
    newton.nova("online_data_migrations", fast=False)
    assert not any(newton.nova("remaining").values())
    assert newton.number(SPECS) == newton.number(f"SELECT COUNT(DISTINCT instance_uuid) FROM {API}.request_specs")


def test_orphaned_map_instances_is_waited_for_and_all_are_mapped(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    migrated.nova("create_cell")
    minion = Minion(migrated, PHASE, **of_phase("map-instances", fast=False, max_count=2000))
    until(lambda: migrated.number(MAPPED) > 0, "a first mapping")
    minion.kill("nova-manage", with_tool=False)
    assert migrated.nova("map_instances", fast=False)["after"] == {
        "instances": INSTANCES,
        "unmapped": 0,
        "without cell": 0,
        "markers": 0,
    }


@pytest.mark.soak
def test_killed_map_instances_is_done_to_the_last_row_by_the_next(migrated: Bench) -> None:
    migrated.nova("map_cell0")
    migrated.nova("create_cell")
    minion = Minion(migrated, PHASE, **of_phase("map-instances", fast=False, max_count=2000))
    until(lambda: migrated.number(MAPPED) > 0, "a first mapping")
    minion.kill("nova-manage", with_tool=True)
    assert migrated.number(MAPPED) < INSTANCES
    answer = migrated.nova("map_instances", fast=False)
    assert answer["after"]["unmapped"] == 0 and migrated.number(MAPPED) == INSTANCES


@pytest.mark.soak
def test_server_that_goes_away_is_a_failure_and_the_step_ends_right_when_it_is_back(newton: Bench) -> None:
    before = newton.number(SPECS)
    minion = Minion(newton, PHASE, **of_phase("online", fast=False))
    until(lambda: newton.number(SPECS) > before, "a first request spec")
    try:
        subprocess.run(["systemctl", "stop", "mariadb"], check=True, timeout=60)
        assert "cannot be reached" in failure(newton, "versions")
        out, _ = minion.process.communicate(timeout=150)
        assert minion.process.returncode != 0
        assert "Traceback" not in out and (
            "was lost" in out or "the database failed" in out or "raised an exception" in out or "exit code" in out
        ), out
    finally:
        subprocess.run(["systemctl", "start", "mariadb"], check=True, timeout=60)
        newton.connection = pymysql.connect(unix_socket=str(SOCKET), user="root", charset="utf8mb4", autocommit=True)
        newton.query("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
    newton.nova("online_data_migrations", fast=False)
    assert not any(newton.nova("remaining").values())


def test_second_of_two_upgrades_is_refused_and_told_who_holds_the_lock(mitaka: Bench) -> None:
    reader = pymysql.connect(unix_socket=str(SOCKET), user="root")
    with reader.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {MAIN}.instance_extra")  # an open transaction keeps the ALTER waiting
    minion = Minion(mitaka, PHASE, **of_phase("db-newton"))
    until(lambda: mitaka.number(ALTERING), "the first upgrade at its ALTER")
    holder = mitaka.number(f"SELECT IS_USED_LOCK('upgrader.nova.{MAIN}')")
    sentence = failure(mitaka, "api_db_sync", version=20)
    assert f"another upgrade of {MAIN} is at work: database connection {holder} holds the lock" in sentence
    assert mitaka.versions()["api"] == 7
    reader.rollback()
    reader.close()
    assert minion.answer()["after"]["main"] == 334
    assert mitaka.nova("api_db_sync", version=20)["after"] == 20


@pytest.mark.parametrize("late", [21, pytest.param(22, marks=pytest.mark.soak)])
def test_late_newton_counts_as_newton_and_is_never_downgraded(mitaka: Bench, late: int) -> None:
    assert mitaka.manage("api_db", "sync", "--version", str(late)).returncode == 0
    answer = mitaka.nova("api_db_sync", version=20)
    assert (
        answer["changed"] is False
        and answer["after"] == late
        and "Newton's releases end at 20 to 22" in answer["comment"]
    )
    plain = mitaka.manage("api_db", "sync", "--version", "20")
    assert plain.returncode == 1 and "downgrade" in plain.stdout


def test_trap_7_online_migrations_below_newton_exit_0_and_are_refused_by_us(mitaka: Bench) -> None:
    mitaka.nova("api_db_sync", version=20)
    assert mitaka.manage("db", "sync", "--version", "329").returncode == 0
    plain = mitaka.manage("db", "online_data_migrations")
    failed = set(re.findall(r"Error attempting to run <function (\w+)", plain.stdout))
    assert plain.returncode == 0 and failed == {"migrate_instance_keypairs", "migrate_keypairs_to_api_db"}
    sentence = failure(mitaka, "online_data_migrations")
    assert f"comes after db-newton, which is not done ({MAIN} is at 329 instead of 334)" in sentence


def test_trap_9_an_empty_database_is_not_written_to_by_asking_its_version(mitaka: Bench) -> None:
    mitaka.query(f"DROP DATABASE {API}")
    mitaka.query(f"CREATE DATABASE {API} CHARACTER SET utf8")
    assert mitaka.versions()["api"] is None
    tables = f"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '{API}'"
    assert mitaka.number(tables) == 0
    assert mitaka.manage("api_db", "version").stdout.strip() == "0" and mitaka.number(tables) == 1


def test_trap_15_plain_commands_on_a_finished_copy_fail_and_ours_do_nothing(ocata: Bench) -> None:
    for words in (("api_db", "sync", "--version", "20"), ("db", "sync", "--version", "334", "--local_cell")):
        plain = ocata.manage(*words)
        assert plain.returncode == 1 and "downgrade" in plain.stdout
    for function, version in (("api_db_sync", 20), ("db_sync", 334)):
        answer = ocata.nova(function, version=version)
        assert answer["changed"] is False and "downgrade" not in answer["comment"]
    assert ocata.versions() == {"api": 31, "main": 347, "cell0": 347}


def failure(bench: Bench, function: str, **arguments: object) -> str:
    with pytest.raises(CommandExecutionError) as caught:
        bench.nova(function, **arguments)
    return str(caught.value)
