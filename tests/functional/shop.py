"""A node with a shop of odd databases beside nova's, its proven backup, and the ways by which clones are filled."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.functional.backup_node import PASSWORD, BackupNode, open_to_the_stores_user
from tests.functional.bench import DUMPS, SOCKET, Bench

CLONES = {
    "shop_upgrade": "nova",
    "shop_upgrade_api": "nova_api",
    "shop_upgrade_old": "shop_old",
    "shop_upgrade_flags": "shop_flags",
}
ACTING = {"shop_upgrade_acting": "shop_acting", "shop_upgrade_words": "shop_words"}
WIDE = {"shop_upgrade_wide": "shop_wide", "shop_upgrade_wider": "shop_wider"}
NAMES = [*CLONES, "shop_upgrade_cell0", "shop_upgrade_text", *ACTING, *WIDE]
# What acts by itself, each form with another database in its body.
ACTS = (
    "CREATE TRIGGER x AFTER UPDATE ON t FOR EACH ROW INSERT INTO shop_flags.flags VALUES (NEW.id + 100, 1)",
    "CREATE PROCEDURE p() INSERT INTO shop_flags.flags VALUES (300, 1)",
    "CREATE FUNCTION f() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM shop_flags.flags)",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop_flags.flags",
    "CREATE VIEW v AS SELECT id FROM shop_flags.flags",
)
COLUMNS = ", ".join(f"c{number} VARCHAR(255)" for number in range(12))
# Databases beside nova's that a real server may hold; each statement is run in its own database.
OTHERS = {
    "shop_old": (
        "CREATE TABLE parent (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20)) ENGINE=InnoDB",
        "CREATE TABLE child (id INT PRIMARY KEY, parent INT NOT NULL, CONSTRAINT `old` FOREIGN KEY (parent) REFERENCES parent (id))",
        "INSERT INTO parent (name) VALUES ('a'), ('b')",
        "INSERT INTO child VALUES (1, 1), (2, 2)",
    ),
    # No column of variable length: its checksum depends on whether its row format is said.
    "shop_flags": (
        "CREATE TABLE flags (id INT PRIMARY KEY, raised TINYINT(1) NOT NULL DEFAULT 0)",
        "INSERT INTO flags VALUES (1, 0), (2, 1)",
    ),
    "shop_acting": (
        "ALTER DATABASE shop_acting CHARACTER SET latin1",
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1), (2)",
        *ACTS,
    ),
    # Its index keeps it from the way by tablespaces.
    "shop_words": (
        "CREATE TABLE t (id INT PRIMARY KEY, w TEXT, FULLTEXT (w))",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
        *ACTS,
    ),
    "shop_wide": (
        "SET SESSION innodb_strict_mode = OFF",
        f"CREATE TABLE t (id INT PRIMARY KEY, {COLUMNS}) CHARACTER SET utf8 ROW_FORMAT=COMPACT",
        "INSERT INTO t (id) VALUES (1)",
    ),
    "shop_wider": (
        "SET SESSION innodb_strict_mode = OFF",
        f"CREATE TABLE t (id INT PRIMARY KEY, {COLUMNS}, born DATE NOT NULL, FULLTEXT (c1)) CHARACTER SET utf8 ROW_FORMAT=COMPACT",
        "SET SESSION sql_mode = ''",
        "INSERT INTO t (id, born) VALUES (1, '0000-00-00')",
    ),
    "shop_key": (
        "CREATE TABLE t (id INT PRIMARY KEY, p INT, CONSTRAINT away FOREIGN KEY (p) REFERENCES shop_old.parent (id))",
    ),
    "shop_parts": ("CREATE TABLE t (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2",),
    "shop_myisam": ("CREATE TABLE t (id INT) ENGINE=MyISAM",),
    "shop_text": ("CREATE TABLE t (id INT PRIMARY KEY, words TEXT, FULLTEXT (words))",),
    "shop_virtual": ("CREATE TABLE t (id INT PRIMARY KEY, twice INT AS (id * 2) VIRTUAL)",),
}


class Node(BackupNode):
    """The bench's own server is its database."""

    def __init__(self, root: Path, bench: Bench) -> None:
        self.bench = bench
        super().__init__(root, NAMES, bench.host, bench.port, SOCKET)


def _make(bench: Bench, name: str, statements: tuple[str, ...]) -> None:
    """``shop_old`` as a server made it whose default row format was another one: its tables do not say theirs."""
    bench.query(f"DROP DATABASE IF EXISTS {name}")
    bench.query(f"CREATE DATABASE {name}")
    connection = pymysql.connect(unix_socket=str(SOCKET), user="root", database=name, autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_default_row_format = " + ("compact" if name == "shop_old" else "dynamic"))
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET GLOBAL innodb_default_row_format = dynamic")


def _forget(bench: Bench) -> None:
    """One of the databases has a foreign key into another one, so their order does not matter only without the checks."""
    bench.query("SET SESSION foreign_key_checks = 0")
    for name in (*NAMES, *OTHERS, "upgrader"):
        bench.query(f"DROP DATABASE IF EXISTS {name}")
    bench.query("SET SESSION foreign_key_checks = 1")


@pytest.fixture(scope="module")
def node(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    assert DUMPS.exists() and SOCKET.exists()
    open_to_the_stores_user(tmp_path_factory.getbasetemp())
    node = Node(tmp_path_factory.mktemp("backup"), bench)
    for host in ("%", "localhost"):
        bench.query(f"CREATE OR REPLACE USER shop_admin@'{host}' IDENTIFIED BY {bench.connection.escape(PASSWORD)}")
        bench.query(f"GRANT ALL ON *.* TO shop_admin@'{host}' WITH GRANT OPTION")
    _forget(bench)
    for name, statements in OTHERS.items():
        _make(bench, name, statements)
    node.sync()
    yield node
    _forget(bench)
    bench.query("DROP USER IF EXISTS shop_admin@'%', shop_admin@localhost, shop_upgrade@'%'")


@pytest.fixture(scope="module")
def backup(node: Node) -> str:
    """A proven backup."""
    node.prepare()
    identity = f"run-{uuid.uuid4().hex[:8]}"
    node.call("upgrader_backup.create", receipt=identity)
    node.call("upgrader_store.prove", receipt=identity, databases=["nova", "nova_api"])
    return identity


def clone(node: Node, backup: str, clones: dict[str, str]) -> dict[str, Any]:
    """Export, then fill by whatever way the export says; answers what the export said."""
    export: dict[str, Any] = node.call("upgrader_export.create", receipt=backup, databases=list(clones.values()))
    node.call("upgrader_tablespace.load", receipt=backup, clones=clones, exports=export["exports"])
    node.call("upgrader_clone.fill", receipt=backup, clones=clones, logical=export["logical"])
    return export


def sums(node: Node, database: str) -> dict[str, Any]:
    """Checksum of every table, asked with a client of our own."""
    tables = node.bench.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'",
        (database,),
    )
    return {table: node.bench.query(f"CHECKSUM TABLE {database}.`{table}` EXTENDED")[0][1] for (table,) in tables}
