"""Databases that Ocata adds to production: made empty and once, opened to whoever has the one beside; and rows counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.clone.clones import Admin
from upgrader_node.database import connection
from upgrader_node.errors import StepError
from upgrader_node.production import databases

from tests.support.lite import Server

NEW = "nova_cell0"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server(nova=("CREATE TABLE nova.instances (uuid TEXT, deleted INT)",))
    made.base.execute(
        "UPDATE information_schema.schemata SET default_character_set_name = 'latin1', default_collation_name = 'latin1_swedish_ci'"
    )
    made.grant("nova", "%", "ALL PRIVILEGES", "nova")
    made.grant("nova", "localhost", "SELECT, INSERT", "nova", " WITH GRANT OPTION")
    made.grant("glance", "%", "ALL PRIVILEGES", "glance")
    monkeypatch.setattr(connection, "admin", lambda driver, account: made)
    return made


def create(folder: Path, run: str = "run-1", **given: Any) -> databases.Answer:
    wanted = {"names": [NEW], "like": {NEW: "nova"}, "grants": {NEW: "nova"}, **given}
    return databases.create(Admin(None, {}), run, folder=str(folder), **wanted)


def test_a_database_is_made_like_the_one_beside_it_and_opened_to_its_accounts_alone(
    server: Server, tmp_path: Path
) -> None:
    answer = create(tmp_path)
    assert answer["made"] == [NEW] and answer["changed"]
    assert server.rows(f"SELECT * FROM information_schema.schemata WHERE schema_name = '{NEW}'") == [
        (NEW, "latin1", "latin1_swedish_ci")
    ]
    assert server.grants["nova", "%"][-1] == "GRANT ALL PRIVILEGES ON `nova\\_cell0`.* TO 'nova'@'%'"
    assert (
        server.grants["nova", "localhost"][-1]
        == "GRANT SELECT, INSERT ON `nova\\_cell0`.* TO 'nova'@'localhost' WITH GRANT OPTION"
    )
    assert len(server.grants["glance", "%"]) == 2
    assert json.loads((tmp_path / "run-1.json").read_text()) == {"run": "run-1", "made": [NEW]}


def test_twice_is_no_error_and_nothing_is_granted_again(server: Server, tmp_path: Path) -> None:
    create(tmp_path)
    server.base.execute(f"CREATE TABLE {NEW}.instances (uuid TEXT)")
    answer = create(tmp_path)
    assert not answer["changed"] and answer["comment"] == "made: none, all were there"


def test_an_empty_one_is_taken_and_not_called_ours(server: Server, tmp_path: Path) -> None:
    server.create(NEW)
    assert create(tmp_path)["made"] == []
    assert json.loads((tmp_path / "run-1.json").read_text())["made"] == []


def test_one_with_tables_that_another_made_is_refused_before_anything_is_done(server: Server, tmp_path: Path) -> None:
    create(tmp_path, run="run-0")
    server.base.execute(f"CREATE TABLE {NEW}.instances (uuid TEXT)")
    grants = json.dumps(sorted(map(str, server.grants.items())))
    with pytest.raises(StepError, match="database nova_cell0 is there with tables in it, and this run did not make it"):
        create(tmp_path, names=[NEW, "other"])
    assert server.rows("SELECT * FROM information_schema.schemata WHERE schema_name = 'other'") == []
    assert json.dumps(sorted(map(str, server.grants.items()))) == grants


def test_it_is_written_down_before_it_is_done(server: Server, tmp_path: Path) -> None:
    def cut(statement: str) -> None:
        if statement.startswith("CREATE DATABASE"):
            assert json.loads((tmp_path / "run-1.json").read_text())["made"] == [NEW]
            raise KeyboardInterrupt

    server.before = cut
    with pytest.raises(KeyboardInterrupt):
        create(tmp_path)
    server.before = lambda statement: None
    assert create(tmp_path)["made"] == [NEW]


def test_a_database_that_nobody_works_with_opens_to_nobody_and_says_so(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="nobody has rights on database heat"):
        create(tmp_path, grants={NEW: "heat"})


def test_a_grant_that_does_not_come_about_is_a_failure(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "grant", lambda *given: None)
    with pytest.raises(
        StepError, match=r"nova_cell0 was granted to 'nova'@'%', 'nova'@'localhost' without a complaint and is not"
    ):
        create(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "GRANT ALL PRIVILEGES ON `nova`.* TO `nova`@`%`",  # MariaDB 10.4 and later
        "GRANT ALL PRIVILEGES ON `nova`.* TO 'nova'@'%' WITH GRANT OPTION",
    ],
)
def test_grants_are_read_in_every_servers_spelling(server: Server, line: str) -> None:
    server.grants["nova", "%"] = ["GRANT USAGE ON *.* TO 'nova'@'%'", line, "GRANT SELECT ON `nova`.`t` TO 'nova'@'%'"]
    found = databases.grants_of(server, "nova")
    assert [(one.rights, one.option) for one in found if one.host == "%"] == [
        ("ALL PRIVILEGES", line[line.find(" WITH") :] if "OPTION" in line else "")
    ]


def test_rows_are_counted_in_the_form_that_the_verification_takes(server: Server) -> None:
    server.base.execute("INSERT INTO nova.instances VALUES ('a', 0), ('b', 1)")
    assert databases.counts(Admin(None, {}), ["nova"])["counts"] == {"nova": {"instances": {"total": 2, "live": 1}}}
    with pytest.raises(StepError, match="database heat is not there"):
        databases.counts(Admin(None, {}), ["nova", "heat"])
