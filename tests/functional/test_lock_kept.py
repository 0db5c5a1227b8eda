"""The upgrade's lock behind a real proxy: kept through its idle timeout, and its loss noticed before anything else is done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.database import sql, watched
from upgrader_node.database.watched import ConnectionLost, WatchedConnection
from upgrader_node.schema import exclusive

from tests.functional.bench import MAIN, PASSWORD, VENV, Bench
from tests.functional.minion import until
from tests.functional.proxy import Proxy

LOCK = f"upgrader.nova.{MAIN}"
IDLE = 1.0


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked as often below the proxy's timeout as 10 s are below haproxy's 60."""
    monkeypatch.setattr(watched, "EVERY", IDLE / 5)


@pytest.fixture
def proxy(mitaka: Bench) -> Iterator[Proxy]:
    with Proxy((mitaka.host, mitaka.port), IDLE) as made:
        yield made


def through(proxy: Proxy) -> WatchedConnection:
    plain = pymysql.connect(
        host="127.0.0.1", port=proxy.port, user="nova_bench", password=PASSWORD, database=MAIN, autocommit=True
    )
    return WatchedConnection(plain)


def ground(connection: WatchedConnection, tmp_path: Path) -> exclusive.Ground:
    return exclusive.Ground(connection, "nova", (MAIN,), "nova-manage", str(tmp_path / "lock"), 1.0)


def holder(bench: Bench) -> int | None:
    found = bench.query("SELECT IS_USED_LOCK(%s)", (LOCK,))[0][0]
    return None if found is None else int(found)


def test_a_proxy_that_drops_idle_connections_does_so(mitaka: Bench, proxy: Proxy) -> None:
    connection = through(proxy)
    until(lambda: proxy.dropped, "an idle connection dropped", 10)
    with pytest.raises(pymysql.Error):
        sql.scalar(connection, "SELECT 1")


def test_the_lock_outlives_the_proxys_timeout_while_a_tool_is_at_work(
    mitaka: Bench, proxy: Proxy, tmp_path: Path
) -> None:
    connection = through(proxy)
    with exclusive.exclusively(ground(connection, tmp_path)):
        mine = sql.scalar(connection, "SELECT CONNECTION_ID()")
        threading.Event().wait(4 * IDLE)
        assert holder(mitaka) == mine and proxy.dropped == 0
        assert sql.scalar(connection, "SELECT 2") == 2
    assert holder(mitaka) is None


def test_a_connection_that_was_cut_stops_the_step_before_its_next_statement(
    mitaka: Bench, proxy: Proxy, tmp_path: Path
) -> None:
    connection = through(proxy)
    lost = pytest.raises(ConnectionLost, match=f"holds the lock {LOCK} was lost .*run the step again")
    with lost, exclusive.exclusively(ground(connection, tmp_path)):
        proxy.cut()
        until(lambda: connection.is_lost, "the loss", 10)
        sql.scalar(connection, f"DELETE FROM {MAIN}.agent_builds")
        pytest.fail("a statement was made without the lock")
    until(lambda: holder(mitaka) is None, "the server's lock free again", 10)


def test_a_lock_that_the_server_gave_to_somebody_else_is_noticed(mitaka: Bench, proxy: Proxy, tmp_path: Path) -> None:
    connection = through(proxy)
    lost = pytest.raises(ConnectionLost, match="the server does not know it as this connection's any more")
    with lost, exclusive.exclusively(ground(connection, tmp_path)):
        sql.scalar(connection, "SELECT RELEASE_LOCK(%s)", (LOCK,))


def configure(bench: Bench, proxy: Proxy, **changes: str) -> None:
    bench.configure(database={**bench.controller()["database"], "host": "127.0.0.1", "port": proxy.port}, **changes)


def slow_nova_manage(folder: Path, words: str) -> Path:
    """A venv whose nova-manage writes down that it was called, and does not end before it is told to."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "nova-manage"
    script.write_text(
        f"#!{VENV}/bin/python\nimport os, sys, time\nopen({str(folder / 'called')!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(folder / 'go')!r}): time.sleep(0.01)\nsys.stdout.write({words!r})\n"
    )
    script.chmod(0o755)
    return folder


@pytest.mark.heavy
def test_a_step_whose_tool_says_nothing_for_long_goes_through(mitaka: Bench, proxy: Proxy) -> None:
    configure(mitaka, proxy)
    assert mitaka.nova("api_db_sync", version=20)["after"] == 20
    assert mitaka.nova("db_sync", version=334)["after"]["main"] == 334


def test_a_step_whose_lock_was_lost_says_so_and_starts_no_further_tool(
    mitaka: Bench, proxy: Proxy, tmp_path: Path
) -> None:
    folder = slow_nova_manage(tmp_path, "")
    configure(mitaka, proxy, venv=str(folder))
    said: list[str] = []

    def step() -> None:
        with pytest.raises(CommandExecutionError) as caught:
            mitaka.nova("api_db_sync", version=20)
        said.append(str(caught.value))

    at_work = threading.Thread(target=step)
    at_work.start()
    until((folder / "called").exists, "nova-manage at work", 30)
    proxy.cut()
    (folder / "go").touch()
    at_work.join(60)
    assert f"the lock {LOCK} was lost" in said[0] and "\n" not in said[0] and PASSWORD not in said[0]
    assert (folder / "called").read_text() == "x"
