"""Clones of a proven backup through the real loader and a real server: whole, alone, and nobody else's database touched."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pymysql
import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.backup_node import PASSWORD
from tests.functional.bench import SOCKET
from tests.functional.shop import ACTING, ACTS, CLONES, NAMES, WIDE, Node, clone, sums


def test_clones_by_tablespaces_hold_what_the_backup_holds(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = clone(node, backup, CLONES)
    assert export["logical"] == []
    for name, source in CLONES.items():
        assert sums(node, name) == sums(node, source) != {}
    compared = node.call("upgrader_tablespace.compare", receipt=backup, clones=CLONES, members=1)
    assert compared["findings"] == []


@pytest.mark.heavy
def test_clones_keep_foreign_keys_counters_and_the_old_row_format(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clone(node, backup, CLONES)
    made = node.bench.query("SHOW CREATE TABLE shop_upgrade_old.child")[0][1]
    assert "REFERENCES `parent` (`id`)" in made
    with pytest.raises(pymysql.IntegrityError):
        node.bench.query("INSERT INTO shop_upgrade_old.child VALUES (9, 99)")
    node.bench.query("INSERT INTO shop_upgrade_old.parent (name) VALUES ('c')")
    assert node.bench.number("SELECT MAX(id) FROM shop_upgrade_old.parent") == 3
    for database in ("shop_old", "shop_upgrade_old"):
        formats = node.bench.query(
            f"SELECT DISTINCT row_format FROM information_schema.tables WHERE table_schema = '{database}'"
        )
        assert formats == [("Compact",)]


@pytest.mark.heavy
def test_full_clone_is_not_filled_again(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = clone(node, backup, CLONES)
    again = node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=export["exports"])
    assert again["changed"] is False


@pytest.mark.heavy
@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE shop_upgrade_old.child DISCARD TABLESPACE",
        pytest.param("DROP TABLE shop_upgrade_old.child", marks=pytest.mark.soak),
        pytest.param("UPDATE shop_upgrade_old.parent SET name = 'z'", marks=pytest.mark.soak),
    ],
)
def test_clone_that_a_cut_off_call_left_half_filled_is_filled_anew(node: Node, backup: str, damage: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = clone(node, backup, CLONES)
    node.bench.query("SET SESSION foreign_key_checks = 0")
    node.bench.query(damage)
    Path("/var/lib/mysql/shop_upgrade_old/left.ibd").write_bytes(b"x")
    again = node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=export["exports"])
    assert again["comment"].startswith("filled shop_upgrade_old in ")
    assert sums(node, "shop_upgrade_old") == sums(node, "shop_old")


@pytest.mark.heavy
def test_clone_that_differs_from_the_backup_is_a_blocker(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clone(node, backup, CLONES)
    node.bench.query("INSERT INTO shop_upgrade_old.parent (name) VALUES ('more')")
    found = node.call("upgrader_tablespace.compare", receipt=backup, clones=CLONES, members=1)["findings"]
    assert [finding["what"] for finding in found] == ["on backup.lab.local shop_upgrade_old.parent has 3 rows, not 2"]


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("shop_parts", "table t is partitioned"),
        pytest.param("shop_myisam", "table t is MyISAM, not InnoDB", marks=pytest.mark.soak),
        pytest.param("shop_text", "it has fulltext or spatial indexes", marks=pytest.mark.soak),
        pytest.param("shop_virtual", "it has generated columns", marks=pytest.mark.soak),
    ],
)
def test_database_that_tablespaces_cannot_copy_goes_by_dump_and_load(
    node: Node, backup: str, database: str, why: str
) -> None:
    answer = node.call("upgrader_export.create", receipt=backup, databases=[database])
    assert answer["logical"] == [database]
    assert f"{database} by dump and load, because {why}" in answer["comment"]


@pytest.mark.heavy
def test_clone_by_dump_and_load_holds_what_the_backup_holds(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clones = {"shop_upgrade_text": "shop_text"}
    assert clone(node, backup, clones)["logical"] == ["shop_text"]
    assert sums(node, "shop_upgrade_text") == sums(node, "shop_text")
    again = node.call("upgrader_clone.fill", receipt=backup, clones=clones, logical=["shop_text"])
    assert again["changed"] is False
    assert node.call("upgrader_tablespace.compare", receipt=backup, clones=clones, members=1)["findings"] == []


def acting(node: Node, database: str) -> list[Any]:
    """Everything in a database that is not a table, by a question of our own."""
    statement = (
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s UNION ALL"
        " SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s UNION ALL"
        " SELECT event_name FROM information_schema.events WHERE event_schema = %s UNION ALL"
        " SELECT table_name FROM information_schema.views WHERE table_schema = %s"
    )
    return sorted(row[0] for row in node.bench.query(statement, (database,) * 4))


def test_nothing_that_acts_by_itself_comes_into_a_clone_whichever_way_it_is_filled(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    assert clone(node, backup, ACTING)["logical"] == ["shop_words"]
    for name, source in ACTING.items():
        assert acting(node, source) == ["e", "f", "p", "v", "x"]
        assert acting(node, name) == []
        assert sums(node, name) == sums(node, source) != {}
        node.bench.query(f"UPDATE {name}.t SET id = id + 10")
    assert node.bench.number("SELECT COUNT(*) FROM shop_flags.flags") == 2


@pytest.mark.heavy
@pytest.mark.parametrize(
    "form",
    [
        ACTS[0],
        *(pytest.param(one, marks=pytest.mark.soak) for one in ACTS[1:]),
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES shop_old.parent (id)",
    ],
)
def test_what_somebody_made_in_a_clone_that_acts_outside_it_is_a_blocker(node: Node, backup: str, form: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    clone(node, backup, ACTING)
    with (
        contextlib.closing(
            pymysql.connect(unix_socket=str(SOCKET), user="root", database="shop_upgrade_acting", autocommit=True)
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(form)
    found = node.call("upgrader_tablespace.compare", receipt=backup, clones=ACTING, members=1)["findings"]
    assert ["shop_upgrade_acting has " in finding["what"] for finding in found] == [True]


def test_database_whose_tables_refer_to_another_one_is_not_cloned(node: Node, backup: str) -> None:
    with pytest.raises(CommandExecutionError, match="foreign key away of table t refers to database shop_old"):
        node.call("upgrader_export.create", receipt=backup, databases=["shop_key"])


@pytest.mark.heavy
def test_clone_takes_its_character_set_from_its_source(node: Node, backup: str) -> None:
    like = {
        "shop_upgrade_acting": "shop_acting",
        "shop_upgrade_cell0": "shop_acting",
        "shop_upgrade_words": "shop_words",
    }
    node.call("upgrader_clone.create", run=backup, names=NAMES, like=like)
    clone(node, backup, ACTING)
    statement = "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = %s"
    for name, source in like.items():
        assert node.bench.query(statement, (name,)) == node.bench.query(statement, (source,)), name
    assert node.bench.query(statement, ("shop_acting",)) == [("latin1_swedish_ci",)]


@pytest.mark.heavy
def test_tables_that_a_strict_server_would_not_make_today_are_cloned_as_they_are(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    assert clone(node, backup, WIDE)["logical"] == ["shop_wider"]
    formats = "SELECT row_format FROM information_schema.tables WHERE table_schema = %s"
    for name, source in WIDE.items():
        assert sums(node, name) == sums(node, source) != {}
        assert node.bench.query(formats, (name,)) == [("Compact",)]
    assert node.call("upgrader_tablespace.compare", receipt=backup, clones=WIDE, members=1)["findings"] == []


def test_export_that_was_damaged_on_the_way_is_not_taken_in(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    export = node.call("upgrader_export.create", receipt=backup, databases=list(CLONES.values()))
    exports = {**export["exports"], "nova": {**export["exports"]["nova"], "sha256": "0" * 64}}
    with pytest.raises(CommandExecutionError, match="export of nova is not what was exported"):
        node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=exports)
    assert sums(node, "shop_upgrade") == {}


def test_database_of_another_run_is_never_filled(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run="another-run", names=NAMES)
    export = node.call("upgrader_export.create", receipt=backup, databases=list(CLONES.values()))
    with pytest.raises(CommandExecutionError, match=f"shop_upgrade.* was not made by run {backup}"):
        node.call("upgrader_tablespace.load", receipt=backup, clones=CLONES, exports=export["exports"])


@pytest.mark.heavy
def test_dropping_the_clones_of_a_run_drops_nothing_else(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run="run-a", names=["shop_upgrade", "shop_upgrade_api"])
    node.call("upgrader_clone.create", run="run-b", names=["shop_upgrade_api"])
    node.bench.query("CREATE DATABASE IF NOT EXISTS somebodys_upgrade")
    try:
        assert node.call("upgrader_clone.drop", run="run-a")["comment"] == "dropped shop_upgrade"
        there = {row[0] for row in node.bench.query("SELECT schema_name FROM information_schema.schemata")}
        assert {"shop_upgrade_api", "somebodys_upgrade", "nova"} <= there
        assert "shop_upgrade" not in there
    finally:
        node.bench.query("DROP DATABASE somebodys_upgrade")


def test_account_of_the_clones_can_use_them_and_nothing_else(node: Node, backup: str) -> None:
    node.call("upgrader_clone.create", run=backup, names=NAMES)
    connection = pymysql.connect(host=node.bench.host, port=node.bench.port, user="shop_upgrade", password=PASSWORD)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        assert {row[0] for row in cursor.fetchall()} - {"information_schema"} == set(NAMES)


def test_database_that_is_not_ours_is_never_dropped(node: Node, backup: str) -> None:
    node.bench.query("CREATE DATABASE somebodys_upgrade")
    node.pillar["upgrader"]["databases"]["clones"]["somebodys_upgrade"] = {"users": [{"name": "x", "password": "y"}]}
    node.write()
    try:
        with pytest.raises(CommandExecutionError, match="somebodys_upgrade is there and was not made by upgrader"):
            node.call("upgrader_clone.create", run=backup, names=["somebodys_upgrade"])
        assert node.bench.query(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'somebodys_upgrade'"
        )
    finally:
        node.bench.query("DROP DATABASE somebodys_upgrade")


def test_production_name_is_no_clones_name(node: Node, backup: str) -> None:
    node.pillar["upgrader"]["databases"]["clones"]["nova"] = {"users": [{"name": "x", "password": "y"}]}
    node.write()
    with pytest.raises(CommandExecutionError, match="nova is no clone's name"):
        node.call("upgrader_clone.create", run=backup, names=["nova"])
