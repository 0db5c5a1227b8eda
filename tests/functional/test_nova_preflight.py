"""Preflight on a real server: every blocker planted in the live Mitaka databases is named in one run, and nothing changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.database import connection as database_connection
from upgrader_node.preflight import ask

from tests.functional.bench import REPOSITORY, Bench

SCHEMAS = ("nova", "nova_api")
ASKED = {"databases": {"nova": ["nova", "nova_api"]}, "versions": {"nova": 319, "nova_api": 7}}
ACCOUNT = "preflight_bench", "ad@m/in%:#1"
FLAVOR = json.dumps({"cur": {"nova_object.data": {"id": 1}}})

# Each blocker by the statement that plants it. {n}: live instances, picked apart so that no plant hides another.
PLANTED = {
    "compute-node-uuids": ["UPDATE nova.compute_nodes SET uuid = NULL WHERE deleted = 0 LIMIT 3"],
    "aggregate-uuids": ["UPDATE nova.aggregates SET uuid = NULL WHERE deleted = 0 LIMIT 1"],
    "vf-parents": [
        "INSERT INTO nova.pci_devices (deleted, compute_node_id, address, product_id, vendor_id, dev_type, label, status)"
        " SELECT 0, MIN(id), '0000:ff:00.1', '1', '2', 'type-VF', 'l', 'available' FROM nova.compute_nodes"
    ],
    "flavors-taken": [
        "INSERT INTO nova_api.flavors (name, memory_mb, vcpus, swap, flavorid, is_public, disabled) VALUES ('m1.tiny', 1, 1, 0, '1', 1, 0)"
    ],
    "flavors-double": [
        "INSERT INTO nova.instance_types (name, flavorid, memory_mb, vcpus, swap, deleted) VALUES (NULL, NULL, 1, 1, 0, 0)"
    ],
    "aggregates-double": ["INSERT INTO nova.aggregates (name, uuid, deleted) VALUES ('ssd', UUID(), 0)"],
    "server-groups": [
        "DELETE FROM nova_api.request_specs WHERE instance_uuid IN (SELECT m.instance_id FROM nova.instance_group_member m"
        " JOIN nova.instances i ON i.uuid = m.instance_id WHERE i.deleted = 0)"
    ],
    "group-specs": [
        "INSERT INTO nova_api.request_specs (instance_uuid, spec) SELECT instance_id, '"
        + json.dumps({"nova_object.data": {"instance_group": {"nova_object.data": {"policies": ["affinity"]}}}})
        + "' FROM nova.instance_group_member m JOIN nova.instances i ON i.uuid = m.instance_id WHERE i.deleted = 0 LIMIT 1"
    ],
    "instance-flavors": [
        "UPDATE nova.instance_extra SET flavor = '{\"cur\": 1}' WHERE deleted = 0 ORDER BY id LIMIT 1",
        "UPDATE nova.instance_extra SET flavor = '{\"cur\": {' WHERE deleted = 0 AND flavor NOT LIKE '{\"cur\": 1}' ORDER BY id LIMIT 1",
    ],
    "request-specs": [
        'REPLACE INTO nova_api.request_specs (instance_uuid, spec) SELECT uuid, \'{"nova_object.data": {"id": null}}\' FROM nova.instances'
        " WHERE deleted = 0 AND uuid NOT IN (SELECT instance_id FROM nova.instance_group_member) ORDER BY id LIMIT 12"
    ],
    "orphaned-extras": [
        "SET foreign_key_checks = 0",
        f"INSERT INTO nova.instance_extra (instance_uuid, flavor, deleted) VALUES ('11111111-0000-0000-0000-000000000000', '{FLAVOR}', 0)",
        "SET foreign_key_checks = 1",
    ],
    "cell-mappings": [
        "INSERT INTO nova_api.cell_mappings (uuid, name, database_connection) VALUES (UUID(), 'old', 'mysql://n:s3cret@d/nova')"
    ],
    "cells-double": [
        "INSERT INTO nova_api.cell_mappings (uuid, name, database_connection) VALUES (UUID(), 'old', 'mysql://n:s3cret@d/n')"
    ],
    "homeless-mappings": ["INSERT INTO nova_api.instance_mappings (instance_uuid, project_id) VALUES (UUID(), 'p')"],
    "forced-down": ["UPDATE nova.services SET forced_down = NULL WHERE deleted = 0 LIMIT 1"],
    "engines": ["ALTER TABLE nova.certificates ENGINE = MyISAM"],
    "collations": [
        "ALTER TABLE nova_api.host_mappings MODIFY host VARCHAR(255) CHARACTER SET utf8 COLLATE utf8_unicode_ci NOT NULL"
    ],
    "schema-version": ["UPDATE nova_api.migrate_version SET version = 6"],
    "charsets": ["ALTER TABLE nova.dns_domains CONVERT TO CHARACTER SET latin1"],
    "transitions": ["UPDATE nova.instances SET task_state = 'migrating' WHERE deleted = 0 ORDER BY id LIMIT 1"],
    "services-down": [
        "UPDATE nova.services SET last_seen_up = last_seen_up - INTERVAL 2 HOUR WHERE deleted = 0 AND host = 'cmp002'",
    ],
}
WARNINGS = {"charsets", "transitions", "services-down"}


@pytest.fixture
def live(bench: Bench) -> Iterator[Bench]:
    """The Mitaka source itself, put back afterwards, and the admin account in pillar as the backup node has it."""
    name, password = ACCOUNT
    bench.query(f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY {bench.connection.escape(password)}")
    bench.query(f"GRANT ALL ON *.* TO {name}@'%'")
    _pillar(bench, bench.port)
    kept = {schema: bench._dump(schema) for schema in SCHEMAS}
    yield bench
    for schema, text in kept.items():
        bench._load(schema, text)
    bench.query(f"DROP USER {name}@'%'")
    (bench.root / "pillar" / "admin.sls").unlink()


def _pillar(bench: Bench, port: int) -> None:
    account = {"host": bench.host, "port": port, "user": ACCOUNT[0], "password": ACCOUNT[1]}
    document = {"upgrader": {"databases": {"admin": account}}}
    (bench.root / "pillar" / "admin.sls").write_text(json.dumps(document))
    (bench.root / "pillar" / "top.sls").write_text("base:\n  '*':\n    - nova\n    - admin\n")
    bench._caller = None


def checksums(bench: Bench) -> list[Any]:
    tables = bench.query(
        "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables"
        f" WHERE table_schema IN {SCHEMAS} AND table_type = 'BASE TABLE' ORDER BY 1"
    )
    return bench.query("CHECKSUM TABLE " + ", ".join(row[0] for row in tables) + " EXTENDED")


def asked(bench: Bench, **more: Any) -> dict[str, dict[str, Any]]:
    answer = bench.call("upgrader_preflight.databases", **ASKED, **more)
    return {finding["id"]: finding for finding in answer["findings"]}


def test_generated_cloud_has_no_blocker(live: Bench) -> None:
    assert [item for item in asked(live).values() if item["severity"] != "info"] == []


def test_every_blocker_is_named_in_one_run_and_nothing_changes(live: Bench) -> None:
    for statements in PLANTED.values():
        for statement in statements:
            live.query(statement)
    before = checksums(live)
    found = asked(live)
    # The flavor without a name has no booleans either.
    more = {"instance-types-disabled-null", "instance-types-is-public-null"}
    assert {name for name, item in found.items() if item["severity"] == "blocker"} == (set(PLANTED) - WARNINGS) | more
    assert checksums(live) == before
    assert found["compute-node-uuids"]["count"] == 3 and "cmp001" in found["compute-node-uuids"]["rows"][0]
    for mitakas in ("compute-node-uuids", "vf-parents"):
        assert "only Mitaka's own 'nova-manage db online_data_migrations' can repair it" in found[mitakas]["remedy"]
    assert "Ocata's could do these too" in found["aggregate-uuids"]["remedy"]
    assert found["request-specs"]["count"] == 12 and len(found["request-specs"]["rows"]) == 10
    assert "--repair-server-groups" in found["server-groups"]["remedy"]
    assert found["instance-flavors"]["count"] == 2
    assert "s3cret" not in json.dumps(found) and ACCOUNT[1] not in json.dumps(found)


def test_what_the_plan_repairs_is_a_warning(live: Bench) -> None:
    live.query(PLANTED["server-groups"][0])
    assert asked(live)["server-groups"]["severity"] == "blocker"
    found = asked(live, repaired=["server-groups", "group-specs"])["server-groups"]
    assert found["severity"] == "warning" and found["remedy"] == "the plan has the step that repairs it"


def test_a_question_that_the_server_refuses_is_a_blocker_and_hides_no_other(live: Bench) -> None:
    live.query("ALTER TABLE nova_api.instance_mappings DROP FOREIGN KEY instance_mappings_ibfk_1, DROP COLUMN cell_id")
    live.query(PLANTED["forced-down"][0])
    found = asked(live)
    assert "refuses the question" in found["homeless-mappings"]["what"] and "1054" in found["homeless-mappings"]["what"]
    assert found["forced-down"]["severity"] == "blocker"


def test_the_session_refuses_every_write(live: Bench) -> None:
    connection = pymysql.connect(host=live.host, port=live.port, user=ACCOUNT[0], password=ACCOUNT[1], autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        with pytest.raises(database_connection.errors(pymysql), match="1792"):
            cursor.execute("UPDATE nova.services SET disabled = 1")
    schemas = json.loads((REPOSITORY / "formulas/upgrader/releases/mitaka-ocata-schemas.json").read_text())
    session = ask.Session(connection, database_connection.errors(pymysql), ASKED["versions"], schemas)
    found = ask.ask_all(session, ASKED["databases"])
    assert not [item for item in found if item["severity"] == "blocker"]
    connection.close()


def test_unreachable_database_is_one_sentence(live: Bench) -> None:
    _pillar(live, 1)
    with pytest.raises(CommandExecutionError, match=f"{live.host}:1 cannot be reached"):
        asked(live)


def test_a_database_that_is_not_there_is_named(live: Bench) -> None:
    answer = live.call(
        "upgrader_preflight.databases",
        databases={"nova": ["nova_x", "nova_x_api"]},
        versions={"nova_x": 319, "nova_x_api": 7},
    )
    assert [item["what"] for item in answer["findings"]][:2] == [
        f"{name} is not there or empty, and the upgrade starts from {version}"
        for name, version in (("nova_x", 319), ("nova_x_api", 7))
    ]


# Rows that preflight calls blockers, planted in a copy at Newton: nova-manage must really come to grief over each.
FIRST = "(SELECT uuid FROM nova_upgrade.instances WHERE deleted = 0 ORDER BY created_at LIMIT 1)"
GRIEF = {
    "flavor-null": f"UPDATE nova_upgrade.instance_extra SET flavor = NULL WHERE instance_uuid = {FIRST}",
    "extra-gone": f"DELETE FROM nova_upgrade.instance_extra WHERE instance_uuid = {FIRST}",
    "spec-id-null": "REPLACE INTO nova_upgrade_api.request_specs (instance_uuid, spec)"
    f' VALUES ({FIRST}, REPLACE((SELECT s.spec FROM nova_upgrade_api.request_specs s LIMIT 1), \'"id": \', \'"id": null, "was": \'))',
    "spec-garbage": f"REPLACE INTO nova_upgrade_api.request_specs (instance_uuid, spec) VALUES ({FIRST}, '{{')",
    "orphaned-extra": PLANTED["orphaned-extras"][1].replace("nova.", "nova_upgrade."),
    "aggregates-double": PLANTED["aggregates-double"][0].replace("nova.", "nova_upgrade."),
    "flavor-nameless": PLANTED["flavors-double"][0].replace("nova.", "nova_upgrade."),
}
GRIEF_EVERY_DAY = ("spec-garbage", "aggregates-double", "flavor-nameless")
"""One of an instance, one of an aggregate, one of a flavor."""


@pytest.mark.heavy
@pytest.mark.parametrize(
    "plant", [one if one in GRIEF_EVERY_DAY else pytest.param(one, marks=pytest.mark.soak) for one in GRIEF]
)
def test_what_preflight_calls_a_blocker_really_stops_nova(newton: Bench, plant: str) -> None:
    newton.query("SET foreign_key_checks = 0")
    newton.query(GRIEF[plant])
    newton.query("SET foreign_key_checks = 1")
    with pytest.raises(CommandExecutionError) as caught:
        newton.nova("online_data_migrations", fast=False)
    assert "left: " in str(caught.value)
