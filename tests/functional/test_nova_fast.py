"""The fast path's rows are nova's own rows: the same source, migrated by nova-manage alone and by us, compared table by table.

``UPGRADER_EQUALITY_INSTANCES=10000`` does it at another size.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.host import foreign
from upgrader_node.nova import worker as nova_worker

from tests.functional.bench import API, MAIN, VENV, Bench
from tests.support import large_cloud
from tests.support.rehearsal import contents_of

pytestmark = pytest.mark.heavy
INSTANCES = int(os.environ.get("UPGRADER_EQUALITY_INSTANCES", "1000"))
SPECLESS = (
    f"SELECT i.uuid FROM {MAIN}.instances i WHERE i.deleted = 0"
    f" AND NOT EXISTS (SELECT 1 FROM {API}.request_specs s WHERE s.instance_uuid = i.uuid) ORDER BY i.created_at, i.id"
)


@pytest.fixture(scope="module")
def large(bench: Bench) -> Iterator[Bench]:
    """The bench with a larger source; the usual one is put back afterwards."""
    large_cloud.generate(bench, INSTANCES)
    yield bench
    bench.generate_source()


@pytest.fixture
def newton(large: Bench) -> Bench:
    """A copy at Newton's schemas, all rows still to be moved."""
    large_cloud.clone(large)
    for step in large_cloud.fast_steps(large)[:2]:
        step()
    return large


@pytest.mark.soak
def test_every_table_equals_what_nova_manage_alone_makes(large: Bench) -> None:
    large_cloud.clone(large)
    answers = {name: answer for name, _, answer in large_cloud.timed(large_cloud.fast_steps(large))}
    ours = contents_of(large.connection)
    assert answers["online_data_migrations"]["bulk"]["made"]["request specs"] > INSTANCES // 2
    assert answers["online_data_migrations"]["bulk"]["left_to_nova"] == {}
    assert answers["map_instances"]["bulk"]["made"] == {"instance mappings": INSTANCES}
    large_cloud.clone(large)
    large_cloud.timed(large_cloud.plain_steps(large))
    # Nova's own batches stop somewhere among the instances that have a spec (trap 3); one more brings its marker to the end.
    large_cloud.command(large, "db", "online_data_migrations", "--max-count", "1000000")
    novas = contents_of(large.connection)
    assert len(novas) > 200
    assert {table: (novas[table], ours.get(table)) for table in novas if novas[table] != ours.get(table)} == {}


@pytest.mark.soak
def test_what_is_unusual_is_left_to_nova_and_told(newton: Bench) -> None:
    specless = [row[0] for row in newton.query(SPECLESS)]
    newton.query(
        f"INSERT INTO {MAIN}.instance_extra (instance_uuid, deleted, keypairs) VALUES (%s, 0, 'x')", (specless[0],)
    )
    twice = (
        f"SELECT instance_uuid, `key`, value, id FROM {MAIN}.instance_system_metadata WHERE instance_uuid = %s LIMIT 1"
    )
    newton.query(
        f"INSERT INTO {MAIN}.instance_system_metadata (instance_uuid, `key`, value, deleted) {twice}", (specless[-1],)
    )
    answer = newton.nova("online_data_migrations")
    assert answer["bulk"]["left_to_nova"] == {
        "a key twice in its system metadata": 1,
        "not exactly one live row in instance_extra": 1,
    }
    assert (
        "left to nova-manage: 1 a key twice in its system metadata, 1 not exactly one live row in instance_extra"
        in answer["comment"]
    )
    assert answer["migrated"]["migrate_instances_add_request_spec"] == 2
    assert newton.query(SPECLESS) == []


def test_flavor_that_cannot_be_read_is_left_to_nova_whose_word_counts(newton: Bench) -> None:
    broken = newton.query(SPECLESS)[3][0]
    newton.query(f"UPDATE {MAIN}.instance_extra SET flavor = 'no json' WHERE instance_uuid = %s", (broken,))
    with pytest.raises(
        CommandExecutionError,
        match=r"migrate_instances_add_request_spec raised an exception.*1 instances without request spec",
    ):
        newton.nova("online_data_migrations")
    assert [row[0] for row in newton.query(SPECLESS)] == [broken]


@pytest.mark.soak
def test_server_group_member_without_spec_is_left_to_nova(newton: Bench) -> None:
    member = newton.query(SPECLESS)[5][0]
    newton.query(
        f"INSERT INTO {MAIN}.instance_group_member (instance_id, group_id, deleted) VALUES (%s, 1, 0)", (member,)
    )
    with pytest.raises(CommandExecutionError, match=r"server-group repair"):
        newton.nova("online_data_migrations")
    others = f"SELECT COUNT(*) FROM {API}.request_specs WHERE instance_uuid <> '{member}'"
    assert newton.number(others) >= INSTANCES * 0.8


@pytest.fixture
def order(large: Bench) -> dict[str, Any]:
    """What the driver tells a worker: places, no password."""
    place = [large.host, large.port]
    return {
        "config_file": str(large.conf),
        "processes": 2,
        "code": "15.1",
        "main": [*place, MAIN],
        "api": [*place, API],
    }


def worker_argv(folder: str = foreign.FOLDER) -> list[str]:
    return foreign.argv(str(VENV / "bin" / "python"), nova_worker.__name__, folder)


def refused(argv: list[str], order: dict[str, Any]) -> str:
    done = subprocess.run(argv, input=json.dumps(order), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3, done.stderr
    return str(json.loads(done.stdout)["refused"])


def test_worker_refuses_another_nova(order: dict[str, Any]) -> None:
    said = refused(worker_argv(), {**order, "code": "14.0"})
    assert said == "the installed nova is 15.1.5, the fast path knows 14.0 only"


def test_worker_refuses_databases_that_the_driver_has_not_judged(large: Bench, order: dict[str, Any]) -> None:
    sentence = refused(worker_argv(), {**order, "api": [large.host, large.port, "nova_api"]})
    assert sentence.startswith("[api_database]/connection names ") and API in sentence and "nova_bench" not in sentence


def test_killed_worker_leaves_whole_rows_and_the_next_run_completes_them(newton: Bench, order: dict[str, Any]) -> None:
    worker = subprocess.Popen(
        worker_argv(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, text=True
    )
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(order))
    worker.stdin.close()
    count = f"SELECT COUNT(*) FROM {API}.request_specs"
    before, deadline = newton.number(count), time.monotonic() + 60
    while newton.number(count) == before:
        assert time.monotonic() < deadline and worker.poll() is None, "the worker ended before it could be killed"
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert newton.number(f"{count} WHERE NOT JSON_VALID(spec)") == 0 and newton.query(SPECLESS) != []
    assert not any(newton.nova("online_data_migrations")["after"].values())
    assert newton.query(SPECLESS) == []


@pytest.mark.soak
def test_mappings_after_a_killed_map_instances_are_completed(newton: Bench) -> None:
    for step in large_cloud.fast_steps(newton)[2:6]:
        step()
    cell = newton.query(f"SELECT id, uuid FROM {API}.cell_mappings WHERE name = 'cell1'")[0]
    newton.manage("cell_v2", "map_instances", "--cell_uuid", cell[1], "--max-count", "70")
    newton.query(f"DELETE FROM {API}.instance_mappings WHERE project_id <> 'INSTANCE_MIGRATION_MARKER' LIMIT 3")
    answer = newton.nova("map_instances")
    assert answer["bulk"]["made"] == {"instance mappings": INSTANCES - 67} and answer["batches"] == 1
    assert newton.query(
        f"SELECT COUNT(*), COUNT(DISTINCT instance_uuid), SUM(cell_id = {cell[0]}) FROM {API}.instance_mappings"
    ) == [(INSTANCES, INSTANCES, INSTANCES)]
    assert newton.nova("map_instances")["changed"] is False


@pytest.mark.soak
def test_plain_nova_manage_alone_is_used_when_asked(newton: Bench) -> None:
    newton.query(f"UPDATE {MAIN}.instances SET deleted = id WHERE id % 20 > 0")
    newton.query(f"UPDATE {MAIN}.instance_extra SET deleted = id WHERE id % 20 > 0")
    answer = newton.nova("online_data_migrations", fast=False)
    assert answer["bulk"]["made"] == {} and answer["bulk"]["said"] == "plain nova-manage, as asked"
    assert answer["migrated"]["migrate_instances_add_request_spec"] > 0
