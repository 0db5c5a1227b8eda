"""Bad input is refused in one sentence before nova-manage runs. These run under every supported Salt."""

from __future__ import annotations

import subprocess

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import API, MAIN, PASSWORD, QUEUE_PASSWORD, Bench


def refusal(bench: Bench, function: str = "db_sync", version: int | None = None, **arguments: object) -> str:
    with pytest.raises(CommandExecutionError) as caught:
        bench.nova(function, 347 if function == "db_sync" else version, **arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert PASSWORD not in sentence and QUEUE_PASSWORD not in sentence
    return sentence


def test_versions_are_read_by_sql_and_no_command_is_started(mitaka: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mitaka.versions()
    started: list[object] = []
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda self, *words, **more: started.append(words))
    assert mitaka.versions() == {"api": 7, "main": 319, "cell0": None}
    assert started == []


def test_missing_nova_conf_is_refused_instead_of_an_sqlite_file(mitaka: Bench) -> None:
    mitaka.conf.unlink()
    assert "does not exist" in refusal(mitaka)


def test_nova_conf_without_connection_is_refused(mitaka: Bench) -> None:
    mitaka.conf.write_text("[DEFAULT]\ntransport_url = rabbit://a:b@127.0.0.1:5672/\n")
    assert "[database]/connection" in refusal(mitaka)


def test_unreachable_database_is_told_before_nova_is_started(mitaka: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mitaka.configure(database={**mitaka.controller()["database"], "port": 1})
    started, begin = [], subprocess.Popen.__init__

    def told(self: object, command: object, *words: object, **more: object) -> None:
        started.append(str(command))
        begin(self, command, *words, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", told)
    assert f"{mitaka.host}:1 cannot be reached" in refusal(mitaka)
    assert not [command for command in started if "nova-manage" in command]


def test_wrong_password_is_told_apart_from_an_unreachable_server(mitaka: Bench) -> None:
    mitaka.configure(database={**mitaka.controller()["database"], "password": "wrong@one"})
    sentence = refusal(mitaka)
    assert "refuses user nova_bench" in sentence and "1045" in sentence
    assert "wrong@one" not in sentence and "wrong%40one" not in sentence


def test_missing_pillar_key_is_named(mitaka: Bench) -> None:
    database = mitaka.controller()["database"]
    mitaka.configure()
    mitaka.configure_pillar_only({key: value for key, value in database.items() if key != "name"})
    assert "nova:controller:database:name" in refusal(mitaka)


def test_pillar_that_names_production_is_refused(mitaka: Bench) -> None:
    mitaka.configure(database={**mitaka.controller()["database"], "name": "nova"})
    assert "not a copy" in refusal(mitaka)


def test_nova_conf_that_names_production_is_refused(mitaka: Bench) -> None:
    usual = mitaka.controller()
    mitaka.write_conf(usual["database"], usual["message_queue"], main="nova")
    assert "names database 'nova'" in refusal(mitaka)
    mitaka.write_conf(usual["database"], usual["message_queue"], api="nova_api")
    assert "names database 'nova_api'" in refusal(mitaka)


def test_nova_conf_on_another_queue_is_refused(mitaka: Bench) -> None:
    usual = mitaka.controller()
    mitaka.write_conf(usual["database"], {**usual["message_queue"], "host": "msg01"})
    sentence = refusal(mitaka)
    assert "msg01" in sentence and "message_queue" in sentence


def test_missing_clone_database_is_named(mitaka: Bench) -> None:
    mitaka.query(f"DROP DATABASE {API}")
    assert f"database {API} does not exist" in refusal(mitaka)


def test_missing_nova_manage_is_named(mitaka: Bench) -> None:
    mitaka.configure(venv="/opt/nothing")
    assert "/opt/nothing/bin/nova-manage" in refusal(mitaka)


def test_online_migrations_before_newton_are_refused(mitaka: Bench) -> None:
    assert f"{MAIN} is at 319" in refusal(mitaka, "online_data_migrations")


def test_a_second_upgrade_at_work_is_refused_and_named(mitaka: Bench) -> None:
    holder = mitaka.number("SELECT CONNECTION_ID()")
    mitaka.query("SELECT GET_LOCK(%s, 1)", (f"upgrader.nova.{MAIN}",))
    try:
        assert f"connection {holder} holds" in refusal(mitaka, "api_db_sync", version=20)
    finally:
        mitaka.query("SELECT RELEASE_LOCK(%s)", (f"upgrader.nova.{MAIN}",))
    assert mitaka.versions()["api"] == 7
