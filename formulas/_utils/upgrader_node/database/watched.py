"""A connection that a lock hangs on: kept awake while nobody uses it, and known to be lost before anything else is done.

The server's lock lives and dies with its connection, and that one is idle for hours while a service's tool works. A proxy
between us and the server drops what says nothing (haproxy's ``timeout client`` and ``timeout server`` are 60 s or 5 min in
most clouds): the lock is then free for somebody else, and nobody tells us. So a thread asks now and then whether the lock
is still ours; that keeps the connection busy enough, and where the answer is no, the next statement is not made any more.

The driver's connections are not made for two threads: one statement at a time, whoever makes it.
"""

import contextlib
import threading
import typing

from upgrader_node.database import sql
from upgrader_node.database.connection import ConnectionRefused

EVERY = 10.0
"""Seconds between two questions: well below the shortest timeout that proxies usually have."""
PATIENCE = 60.0
"""Seconds that a question may go without an answer before the connection counts as lost."""
LOST = (0, 2006, 2013, 2055)
OURS = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()"


class ConnectionLost(ConnectionRefused):
    """The connection that held a lock is gone, and the lock with it."""


class WatchedConnection:
    """A driver's connection with the same ``cursor`` and ``close``. Without ``holding`` it is nothing more than that."""

    def __init__(self, connection: typing.Any) -> None:
        self._connection = connection
        self._turn = threading.Lock()
        self._lock_name, self._lost = "", ""

    def cursor(self) -> "WatchedCursor":
        return WatchedCursor(self, self._connection.cursor())

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def holding(self, lock_name: str) -> typing.Iterator[None]:
        """Watch over a lock of this connection's for the length of the block."""
        ended = threading.Event()
        self._lock_name = lock_name
        watcher = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            self._lock_name = ""

    def demand_lock(self) -> None:
        """Ask the server now. Raises ConnectionLost when the lock is not ours any more, or cannot be asked after."""
        with self.turn():
            self._ask()
        self._refuse_when_lost()

    @property
    def is_lost(self) -> bool:
        """Whether the lock is known to be gone: then there is nothing to be released."""
        return bool(self._lost)

    @contextlib.contextmanager
    def turn(self) -> typing.Iterator[None]:
        """The right to talk to the server. Raises ConnectionLost instead of waiting for a question that nobody answers."""
        if not self._turn.acquire(timeout=PATIENCE):
            self._lost = self._lost or "the server has not answered for {0:.0f} s".format(PATIENCE)
            self._refuse_when_lost()
        try:
            self._refuse_when_lost()
            yield
        except self._connection.Error as error:
            if not self._lock_name or not error.args or error.args[0] not in LOST:
                raise
            self._lost = str(error)
            self._refuse_when_lost()
        finally:
            self._turn.release()

    def _watch(self, ended: threading.Event) -> None:
        while not self._lost and not ended.wait(EVERY):
            if self._turn.acquire(blocking=False):  # else a statement is under way, and the connection is not idle
                try:
                    if not ended.is_set():
                        self._ask()
                finally:
                    self._turn.release()

    def _ask(self) -> None:
        try:
            ours = sql.scalar(self._connection, OURS, (self._lock_name,))
        except (self._connection.Error, OSError, ValueError) as error:  # ValueError: closed meanwhile
            self._lost = str(error)
            return
        if ours != 1:
            self._lost = "the server does not know it as this connection's any more"

    def _refuse_when_lost(self) -> None:
        if self._lost:
            raise ConnectionLost(
                "the database connection that holds the lock {0} was lost ({1}), so another upgrade may have begun;"
                " nothing more was done: see with SHOW PROCESSLIST what is at work, then run the step again".format(
                    self._lock_name or "of this step", self._lost
                )
            )


class WatchedCursor:
    """A driver's cursor that takes its turn; results are with us when ``execute`` returns, so reading them needs none."""

    def __init__(self, connection: WatchedConnection, cursor: typing.Any) -> None:
        self._connection, self._cursor = connection, cursor

    def execute(self, statement: str, values: typing.Any = None) -> typing.Any:
        with self._connection.turn():
            return self._cursor.execute(statement, values)

    def fetchall(self) -> typing.Any:
        return self._cursor.fetchall()

    def close(self) -> None:
        self._cursor.close()

    def __enter__(self) -> "WatchedCursor":
        return self

    def __exit__(self, *unused: typing.Any) -> None:
        self.close()
