"""Backups, clones and questions on MySQL 5.6.24; in a soak on MariaDB 10.5 as well. The schemas: test_era_schemas.py.

5.6.24 is plain MySQL: it has no wsrep. Percona's xtrabackup is a stand-in (tests/support/xtrabackup_stand_in.py).
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from upgrader_node.nova import rows
from upgrader_node.preflight import ask

from tests.functional.backup_node import PASSWORD, BackupNode, open_to_the_stores_user
from tests.functional.bench import API, CELL0, MAIN, REPOSITORY, Bench
from tests.functional.copies import SERVICES
from tests.functional.era import SERVERS, Server, programs_of, running

pytestmark = pytest.mark.heavy
SOURCES = {**{f"{service}_upgrade": service for service in SERVICES}, MAIN: "nova", API: "nova_api"}
NAMES = [*SOURCES, CELL0, "odd_upgrade"]


class Era:
    """One server of the era with generated sources, its node, and what a rehearsal does up to the clones."""

    def __init__(self, server: Server, bench: Bench, node: BackupNode) -> None:
        self.server, self.bench, self.node = server, bench, node
        self.backup = f"run-{uuid.uuid4().hex[:8]}"

    def call(self, function: str, **arguments: Any) -> Any:
        with programs_of(self.server):
            return self.node.call(function, **arguments)

    def clone(self, clones: dict[str, str]) -> dict[str, Any]:
        """Backup, proof, export and both ways of filling; answers what the export said."""
        self.call("upgrader_backup.create", receipt=self.backup)
        self.call("upgrader_store.prove", receipt=self.backup, databases=sorted(set(clones.values())))
        self.call("upgrader_clone.create", run=self.backup, names=[*clones, CELL0])
        export: dict[str, Any] = self.call(
            "upgrader_export.create", receipt=self.backup, databases=sorted(clones.values())
        )
        self.call("upgrader_tablespace.load", receipt=self.backup, clones=clones, exports=export["exports"])
        self.call("upgrader_clone.fill", receipt=self.backup, clones=clones, logical=export["logical"])
        return export


@contextlib.contextmanager
def prepared(server: Server, bench: Bench, factory: pytest.TempPathFactory) -> Iterator[Era]:
    with running(server):
        own = Bench(factory.mktemp("bench"), server.socket, bench.sources)
        open_to_the_stores_user(factory.getbasetemp())
        node = BackupNode(factory.mktemp("backup"), NAMES, own.host, own.port, server.socket)
        for host in ("'%'", "localhost"):
            own.account("shop_admin", host, "*.*", "WITH GRANT OPTION", PASSWORD)
        node.sync()
        node.prepare()
        yield Era(server, own, node)
        own.connection.close()


@pytest.fixture(scope="module", params=["5.6", pytest.param("10.5", marks=pytest.mark.soak)])
def era(request: pytest.FixtureRequest, bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Era]:
    with prepared(SERVERS[request.param], bench, tmp_path_factory) as made:
        yield made


def test_backup_tool_of_the_servers_own_kind_is_accepted(era: Era) -> None:
    answer = era.call("upgrader_backup.check")
    assert answer["comment"].startswith({"5.6": "xtrabackup 2.4", "10.5": "mariabackup 10.5"}[era.server.series])


def test_clones_hold_what_the_source_held_while_rows_were_written(era: Era) -> None:
    """Nova's two databases by their tablespaces, one with a fulltext index by dump and load; rows are written meanwhile."""
    era.bench.query("CREATE DATABASE odd")
    era.bench.query("CREATE TABLE odd.t (id INT PRIMARY KEY, words VARCHAR(20), FULLTEXT (words)) ENGINE=InnoDB")
    # Typed with its database's name, as pt-online-schema-change does: a dump of it could be loaded nowhere else (error 1435).
    era.bench.query("CREATE TRIGGER odd.x BEFORE INSERT ON odd.t FOR EACH ROW SET NEW.words = UPPER(NEW.words)")
    era.bench.query("INSERT INTO odd.t VALUES (1, 'a'), (2, 'b')")
    era.bench.query("CREATE TABLE nova.written (id INT AUTO_INCREMENT PRIMARY KEY, words VARCHAR(20))")
    done = threading.Event()
    writer = threading.Thread(target=_write, args=(era.server, done))
    writer.start()
    try:
        export = era.clone({MAIN: "nova", API: "nova_api", "odd_upgrade": "odd"})
    finally:
        done.set()
        writer.join()
    assert export["logical"] == ["odd"]
    assert list(era.bench.query("SELECT words FROM odd_upgrade.t ORDER BY id")) == [("A",), ("B",)]
    held = json.loads((era.node.store / era.backup / "contents.json").read_text())["databases"]["nova"]["written"][
        "rows"
    ]
    assert 0 < held < era.bench.number("SELECT COUNT(*) FROM nova.written")
    assert era.bench.number(f"SELECT COUNT(*) FROM {MAIN}.written") == held
    assert era.bench.number(f"SELECT COUNT(*) FROM {MAIN}.instances") == era.bench.number(
        "SELECT COUNT(*) FROM nova.instances"
    )


def _write(server: Server, done: threading.Event) -> None:
    connection = pymysql.connect(unix_socket=str(server.socket), user="root", autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        while not done.is_set():
            cursor.execute("INSERT INTO nova.written (words) VALUES ('written')")
            done.wait(0.005)


def test_account_of_a_clone_is_made_once_and_gets_a_new_password(era: Era) -> None:
    users = era.node.pillar["upgrader"]["databases"]["clones"]["odd_upgrade"]["users"]
    for password in (PASSWORD, "another'%s"):
        users[0]["password"] = password
        era.node.write()
        era.call("upgrader_clone.create", run="run-account", names=["odd_upgrade"])
        connection = pymysql.connect(
            host=era.bench.host, port=era.bench.port, user="shop_upgrade", password=password, database="odd_upgrade"
        )
        with contextlib.closing(connection), connection.cursor() as cursor, pytest.raises(pymysql.MySQLError):
            cursor.execute("SELECT * FROM nova.instances")
    users[0]["password"] = PASSWORD
    era.node.write()
    assert era.call("upgrader_clone.drop", run="run-account")["comment"] == "dropped odd_upgrade"


def test_specs_of_groups_without_a_uuid_are_counted_without_the_servers_help(era: Era) -> None:
    """Nova bug 1830747 writes them: ``{"instance_group": {"nova_object.data": {no uuid}}}``."""
    spec = {"nova_object.data": {"instance_group": {"nova_object.data": {"policies": ["affinity"]}}}}
    whole = {"nova_object.data": {"instance_group": {"nova_object.data": {"uuid": None}}}}
    before = rows.broken_group_specs(era.bench.connection, "nova_api")
    for text in (json.dumps(spec), json.dumps(whole), '{"instance_group": {', json.dumps({"instance_group": None})):
        era.bench.query(
            "INSERT INTO nova_api.request_specs (created_at, instance_uuid, spec) VALUES (NOW(), UUID(), %s)", (text,)
        )
    assert rows.broken_group_specs(era.bench.connection, "nova_api") == before + 1


def test_preflight_asks_all_its_questions(era: Era, bench: Bench) -> None:
    """The questions are judged in test_nova_preflight.py: here they are all understood, and answered as on MariaDB 10.11."""
    schemas = json.loads((REPOSITORY / "formulas/upgrader/releases/mitaka-ocata-schemas.json").read_text())
    answers = []
    for one in (bench, era.bench):
        session = ask.Session(one.connection, (pymysql.MySQLError,), {"nova": 319, "nova_api": 7}, schemas)
        told = ask.ask_all(session, {"nova": ["nova", "nova_api"]})
        assert not [finding for finding in told if "the server refuses" in finding["what"]]
        answers.append([one for one in told if one["service"] == "nova" and one["id"] != "foreign-tables"])
    assert answers[0] == answers[1]
