"""What happens to a connection between two threads, without a server: turns, silence, and what counts as lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from upgrader_node.database import sql, watched
from upgrader_node.database.watched import ConnectionLost, WatchedConnection


class Server:
    """A driver's connection that answers every question with ``answer``, or raises it."""

    class Error(Exception):
        pass

    def __init__(self) -> None:
        self.answer: Any = 1
        self.asked: list[str] = []
        self.silent, self.heard = threading.Event(), threading.Event()
        self.go_on = threading.Event()
        self.at_once, self.most_at_once = 0, 0

    def cursor(self) -> Server:
        return self

    def close(self) -> None:
        pass

    def execute(self, statement: str, values: Any = None) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.asked.append(statement)
            if statement == watched.OURS:
                self.heard.set()
                if self.silent.is_set():
                    self.go_on.wait(20)
            if isinstance(self.answer, Exception):
                raise self.answer
            return 1
        finally:
            self.at_once -= 1

    def fetchall(self) -> list[tuple[Any]]:
        return [(self.answer,)]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "EVERY", 0.001)


def test_nobody_is_asked_without_a_lock() -> None:
    server = Server()
    connection = WatchedConnection(server)
    sql.scalar(connection, "SELECT 1")
    assert server.asked == ["SELECT 1"]


def test_a_question_never_comes_between_a_statement_and_its_answer() -> None:
    server = Server()
    connection = WatchedConnection(server)
    with connection.holding("l"):
        assert server.heard.wait(20)
        for _ in range(300):
            sql.scalar(connection, "SELECT 1")
    assert server.most_at_once == 1


def test_a_server_that_goes_silent_stops_the_next_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "PATIENCE", 0.05)
    server = Server()
    server.silent.set()
    connection = WatchedConnection(server)
    with connection.holding("l"):
        assert server.heard.wait(20)
        with pytest.raises(ConnectionLost, match="has not answered"):
            sql.scalar(connection, "SELECT 1")
        server.go_on.set()
    assert connection.is_lost and "SELECT 1" not in server.asked


@pytest.mark.parametrize("answer", [0, None])
def test_a_lock_that_is_not_ours_any_more_is_lost(answer: int | None) -> None:
    server = Server()
    server.answer = answer
    connection = WatchedConnection(server)
    with connection.holding("l"), pytest.raises(ConnectionLost, match="the lock l was lost"):
        connection.demand_lock()


def test_an_error_of_a_statement_is_no_loss_and_a_gone_server_is() -> None:
    server = Server()
    connection = WatchedConnection(server)
    for lock, error, raised in (
        ("l", Server.Error(1146, "no such table"), Server.Error),
        ("", Server.Error(2013, "lost"), Server.Error),
        ("l", Server.Error(2013, "lost"), ConnectionLost),
    ):
        connection._lock_name, server.answer = lock, error
        with pytest.raises(raised) as caught:
            sql.scalar(connection, "SELECT 1")
        assert type(caught.value) is raised
