"""Which way of founding a cluster a node has, by what is found on it; and which words its init system has for a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.restore import founding, servers, service_control

CODERSHIP = "case \"$mode\" in\n  'start')\n    $bindir/mysqld_safe $other_args &\n    ;;\nesac\n"
MARIADB = (
    "case \"${1:-''}\" in\n  'start')\n  ;;\n  'bootstrap')\n  $SELF start \"${@:2}\" --wsrep-new-cluster\n  ;;\nesac\n"
)
PERCONA = "case \"$mode\" in\n  'start')\n  ;;\n  'bootstrap-pxc')\n    wsrep_start\n  ;;\nesac\n"
PLAIN = "case \"${1:-''}\" in\n  'start')\n  /usr/bin/mysqld_safe > /dev/null 2>&1 &\n  ;;\nesac\n"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def found(script: str = "", systemd: bool = False, program: str = "", unit: str = "") -> list[str]:
        monkeypatch.setattr(founding, "INIT_SCRIPTS", str(tmp_path))
        monkeypatch.setattr(founding, "UNIT_FOLDERS", (str(tmp_path),))
        monkeypatch.setattr(founding, "on_systemd", lambda: systemd)
        for name, text in (("mysql", script), (unit, "[Service]")):
            if name and text:
                (tmp_path / name).write_text(text)
        server = service_control.Server("mysql", "/var/lib/mysql", {})
        return founding.command(server, lambda name: "/usr/bin/" + name if name == program else None)

    return found


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (MARIADB, ["service", "mysql", "bootstrap"]),
        (PERCONA, ["service", "mysql", "bootstrap-pxc"]),
        (CODERSHIP, ["service", "mysql", "start", "--wsrep-new-cluster"]),
        (PLAIN, []),
        ("", []),
    ],
)
def test_way_of_an_init_script_is_read_in_it(command: Callable[..., list[str]], script: str, words: list[str]) -> None:
    assert command(script) == words


def test_systemd_has_the_program_of_mariadb_or_the_unit_of_percona(command: Callable[..., list[str]]) -> None:
    assert command(systemd=True, program="galera_new_cluster") == ["galera_new_cluster", "mysql"]
    assert command(systemd=True, unit="mysql@.service") == ["systemctl", "start", "mysql@bootstrap.service"]


def test_program_of_systemds_is_no_way_where_systemd_is_not_init(command: Callable[..., list[str]]) -> None:
    assert command(systemd=False, program="galera_new_cluster") == []


def test_script_that_systemd_starts_is_given_no_arguments(command: Callable[..., list[str]]) -> None:
    assert command(CODERSHIP, systemd=True) == []
    assert command(PERCONA, systemd=True) == ["service", "mysql", "bootstrap-pxc"]


def server(**functions: Any) -> service_control.Server:
    salt = {name.replace("_", ".", 1): function for name, function in functions.items()}
    return service_control.Server("mysql", "/var/lib/mysql", salt)


def test_member_that_receives_its_state_is_not_taken_for_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An init script says of it that it does not run: it answers nobody yet."""
    monkeypatch.setattr(servers, "holders", lambda datadir: [(4711, "mysqld")])
    assert servers.state(server(service_status=lambda name: False)) == "activating"
    monkeypatch.setattr(servers, "holders", lambda datadir: [])
    assert servers.state(server(service_status=lambda name: False)) == "inactive"
    assert servers.state(server(service_status=lambda name: True)) == "active"


def test_founder_that_runs_in_perconas_unit_counts_as_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(founding, "bootstrap_unit", lambda name: name + "@bootstrap.service")
    states = {"mysql": "inactive", "mysql@bootstrap.service": "active"}
    assert servers.state(server(service_show=lambda name: {"ActiveState": states[name]})) == "active"


def test_start_that_the_init_system_refuses_is_an_error_unless_a_server_is_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = server(service_start=lambda name, **_: False, service_status=lambda name: False)
    monkeypatch.setattr(servers, "holders", lambda datadir: [])
    monkeypatch.setattr(service_control, "on_systemd", lambda: False)
    with pytest.raises(servers.ServiceFailed, match="mysql cannot be started; its error log"):
        servers.start(refused)
    monkeypatch.setattr(servers, "holders", lambda datadir: [(4711, "mysqld")])
    servers.start(refused)


def test_node_without_a_database_server_has_none_to_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.local_server, "datadir", lambda which: "/var/lib/mysql")
    assert servers.can_found({"service.available": lambda name: False}) is False
    with pytest.raises(servers.ServiceFailed, match="no service named mariadb or mysql"):
        servers.unit({"service.available": lambda name: False})
