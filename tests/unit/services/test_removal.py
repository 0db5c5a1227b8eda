"""Rows are removed by id and by nothing else; what goes beside them is a failure with names. On SQLite, which speaks enough."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from upgrader_node.database import sql, watched
from upgrader_node.errors import StepError
from upgrader_node.nova import service as nova
from upgrader_node.nova import services as nova_services
from upgrader_node.release.path import Phase
from upgrader_node.schema import removal
from upgrader_node.schema.services import cinder, heat
from upgrader_node.schema.session import Session, Tool
from upgrader_node.schema.target import Target

from upgrader.cloud.release import release_path

PATH = release_path("mitaka", "ocata")


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's lock is not what is tried here."""
    monkeypatch.setattr(watched.WatchedConnection, "demand_lock", lambda self: None)


class Cursor:
    """A driver's cursor over SQLite: MySQL's placeholders, and the number of changed rows from ``execute``."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.cursor = base.cursor()

    def execute(self, statement: str, values: Any = ()) -> int:
        self.cursor.execute(statement.replace("%s", "?"), values)
        return self.cursor.rowcount

    def fetchall(self) -> list[Any]:
        return self.cursor.fetchall()

    def close(self) -> None:
        self.cursor.close()


class Lite:
    """A DB-API connection as PyMySQL's."""

    Error = sqlite3.Error

    def __init__(self, *script: str) -> None:
        self.base = sqlite3.connect(":memory:", check_same_thread=False)
        self.base.execute("ATTACH ':memory:' AS c_upgrade")
        self.base.create_function("UTC_TIMESTAMP", 0, lambda: "now")
        self.base.create_function("CONCAT_WS", -1, lambda by, *all: by.join(str(one) for one in all if one is not None))
        for statement in script:
            self.base.execute(statement)

    def cursor(self) -> Cursor:
        return Cursor(self.base)

    def rows(self, statement: str) -> list[Any]:
        return self.base.execute(statement).fetchall()


def session(service: str, lite: Lite) -> Session:
    target = Target({"main": sql.parse_url("mysql+pymysql://u:p@h/c_upgrade")}, "/etc/x.conf", {})
    module: Any = {"cinder": cinder, "heat": heat, "nova": nova}[service]
    connection: Any = watched.WatchedConnection(lite)
    return Session(module.SERVICE, PATH.service(service), target, connection, "/bin/x", "python", None, "/lock")


CINDER = (
    "CREATE TABLE c_upgrade.services (id INT, `binary` TEXT, host TEXT, rpc_current_version TEXT, deleted INT, deleted_at TEXT)",
    "INSERT INTO c_upgrade.services VALUES (1, 'cinder-volume', 'ctl01@rbd', '1.40', 0, NULL),"
    " (2, 'cinder-volume', NULL, NULL, 0, NULL), (3, 'cinder-volume', 'ctl01@rbd', '3.10', 0, NULL),"
    " (4, 'cinder-volume', 'ctl01@rbd', '1.40', 1, 'then'), (5, 'cinder-scheduler', 'upg01', '3.5', 0, NULL),"
    " (6, 'cinder-api', 'ctl01', NULL, 0, NULL)",
)


def services(lite: Lite) -> tuple[Session, Tool, Phase]:
    made = session("cinder", lite)
    return made, Tool(made, 0), made.path.phase("services")


def live(lite: Lite) -> list[int]:
    return [row[0] for row in lite.rows("SELECT id FROM c_upgrade.services WHERE deleted = 0 ORDER BY id")]


def test_a_service_without_host_goes_by_its_id_and_takes_no_other_along() -> None:
    lite = Lite(*CINDER)
    made, tool, phase = services(lite)
    assert cinder.look_services(made, phase).state == ["1 cinder-volume ctl01@rbd 1.40", "2 cinder-volume without host"]
    done = cinder.do_services(made, tool, phase, 60)
    assert live(lite) == [3, 5, 6] and cinder.look_services(made, phase).pending == ""
    assert lite.rows("SELECT deleted_at FROM c_upgrade.services WHERE id IN (1, 2, 4) ORDER BY id") == [
        ("now",),
        ("now",),
        ("then",),
    ]
    assert done.comment.startswith("2 service(s) removed by id: 1 cinder-volume") and "3 other(s) stay" in done.comment


def test_whatever_else_is_gone_is_a_failure_with_its_name() -> None:
    also = (
        "CREATE TRIGGER c_upgrade.also AFTER UPDATE ON services WHEN new.id = 2"
        " BEGIN UPDATE services SET deleted = 1 WHERE id = 3; END"
    )
    made, tool, phase = services(Lite(*CINDER, also))
    with pytest.raises(StepError) as caught:
        cinder.do_services(made, tool, phase, 60)
    assert "1 more are gone that nobody named: 3 cinder-volume ctl01@rbd 3.10;" in str(caught.value)
    assert "2 service(s) were to be removed (1 cinder-volume ctl01@rbd 1.40, 2 cinder-volume" in str(caught.value)


def test_a_row_that_is_gone_meanwhile_or_shares_its_id_is_a_failure() -> None:
    made, _, _ = services(Lite(*CINDER))
    with pytest.raises(StepError, match=r"service 4 old was to be removed by its id, and 0 row\(s\) went"):
        removal.remove(made, cinder.SERVICES, {"4": "4 old"})
    made, tool, phase = services(Lite(*CINDER, "UPDATE c_upgrade.services SET id = 2 WHERE id = 1"))
    with pytest.raises(StepError, match=r"by its id, and 2 row\(s\) went; look at table services"):
        cinder.do_services(made, tool, phase, 60)


def test_engines_that_are_gone_are_removed_by_id_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat, "_OLD", "updated_at = 'long ago'")
    lite = Lite(
        "CREATE TABLE c_upgrade.service (id TEXT, `binary` TEXT, hostname TEXT, updated_at TEXT, deleted_at TEXT)",
        "INSERT INTO c_upgrade.service VALUES ('a', 'heat-engine', 'ctl01', 'long ago', NULL), ('b', 'heat-engine', 'upg01', 'now', NULL),"
        " ('c', 'heat-engine', 'ctl02', 'long ago', 'then')",
    )
    made = session("heat", lite)
    phase = made.path.phase("engines")
    assert heat.look_engines(made, phase).pending == "1 engine(s) are gone and still registered"
    done = heat.do_engines(made, Tool(made, 0), phase, 60)
    assert done.comment == "1 engine(s) removed by id: a heat-engine on ctl01; 1 other(s) stay"
    assert lite.rows("SELECT id, deleted_at FROM c_upgrade.service ORDER BY id") == [
        ("a", "now"),
        ("b", None),
        ("c", "then"),
    ]


NOVA = (
    "CREATE TABLE c_upgrade.services (id INT, `binary` TEXT, host TEXT, version INT, deleted INT, deleted_at TEXT)",
    "INSERT INTO c_upgrade.services VALUES (1, 'nova-osapi_compute', '10.0.0.11', 9, 0, NULL), (2, 'nova-ec2', 'ctl01', NULL, 0, NULL),"
    " (3, 'NOVA-METADATA', 'ctl01', 9, 0, NULL), (4, 'nova-osapi_compute', 'upg01', 16, 0, NULL),"
    " (5, 'nova-conductor', 'ctl01', 9, 0, NULL), (6, 'nova-compute', 'cmp001', 9, 0, NULL), (7, 'nova-osapi_compute', 'x', 9, 7, 'then')",
)


def test_api_services_of_mitaka_go_by_id_whosever_host_they_are_of_and_no_other_service_does() -> None:
    lite = Lite(*NOVA)
    made = session("nova", lite)
    phase = made.path.phase("services")
    assert nova_services.look(made, phase).pending == "3 API service(s) of Mitaka are registered"
    assert [one["subject"] for one in nova._left_services(made)] == ["phase services"]
    done = nova_services.do(made, Tool(made, 0), phase, 60)
    assert live(lite) == [4, 5, 6]
    assert lite.rows("SELECT id, deleted FROM c_upgrade.services WHERE id IN (1, 2, 3, 7)") == [
        (1, 1),
        (2, 2),
        (3, 3),
        (7, 7),
    ]
    assert done.comment.startswith(
        "3 service(s) removed by id: 1 nova-osapi_compute on 10.0.0.11 version 9, 2 nova-ec2 on ctl01"
    )
    assert nova_services.look(made, phase).pending == "" and nova._left_services(made) == []


def test_services_of_production_are_judged_alike_whichever_node_asks() -> None:
    """Rows of cinder's own controllers are as old as anybody's: what counts is the version with which they registered."""
    made, _, phase = services(Lite(*CINDER, "UPDATE c_upgrade.services SET host = 'here'"))
    assert cinder.look_services(made, phase).state == ["1 cinder-volume here 1.40", "2 cinder-volume here"]
