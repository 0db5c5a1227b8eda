"""One upgrade of a database at a time, and nothing beside what an earlier, lost one still does.

Two locks keep upgrades apart. The server's keeps other nodes away and goes with our connection, which is watched over.
The file's is inherited by the tool, so it stays while an orphan of a killed minion still runs.
"""

import contextlib
import fcntl
import time
import typing

from upgrader_node.database import sql
from upgrader_node.database.watched import ConnectionLost, WatchedConnection
from upgrader_node.errors import StepError

POLL = 0.5


class Ground(typing.NamedTuple):
    """What is locked: a service's ``schemas`` (the first names the lock), and how long to wait, in seconds."""

    connection: WatchedConnection
    service: str
    schemas: typing.Sequence[str]
    tool: str
    lock_file: str
    patience: float


def lock_name(service: str, schema: str) -> str:
    """The server's name for the lock (at most 64 characters)."""
    return "upgrader.{0}.{1}".format(service, schema)[:64]


@contextlib.contextmanager
def exclusively(ground: Ground) -> typing.Iterator[int]:
    """Hold both locks; wait, bounded, for a lost tool and for DDL that the server still does. Yields the file's descriptor.

    Raises StepError when another one is at work, and ConnectionLost as soon as the server's lock is not ours any more.
    """
    connection, name = ground.connection, lock_name(ground.service, ground.schemas[0])
    if sql.scalar(connection, "SELECT GET_LOCK(%s, 5)", (name,)) != 1:
        holder = sql.scalar(connection, "SELECT IS_USED_LOCK(%s)", (name,))
        raise StepError(
            "another upgrade of {0} is at work: database connection {1} holds the lock {2};"
            " wait for it, or end it with KILL {1} when it is dead".format(ground.schemas[0], holder, name)
        )
    with connection.holding(name):
        try:
            with open(ground.lock_file, "a") as lock:
                _until(lambda: _orphan(lock, ground), ground.patience, "wait for it or end it, then run the step again")
                _until(
                    lambda: _ddl(ground),
                    ground.patience,
                    "wait until SHOW PROCESSLIST is free of it, then run the step again",
                )
                yield lock.fileno()
                connection.demand_lock()
        finally:
            _release(connection, name)


def _release(connection: WatchedConnection, name: str) -> None:
    """A lost connection has released it already; one that is lost just now does so too, and must not hide what failed."""
    if not connection.is_lost:
        with contextlib.suppress(ConnectionLost):
            sql.scalar(connection, "SELECT RELEASE_LOCK(%s)", (name,))


def _until(wanted: typing.Callable[[], str], patience: float, remedy: str) -> None:
    """Wait until ``wanted`` returns "" (nothing in the way); after ``patience`` seconds say what was last in the way."""
    deadline = time.monotonic() + patience
    seen = wanted()
    while seen:
        if time.monotonic() >= deadline:
            raise StepError("{0}; waited {1:.0f} s; {2}".format(seen, patience, remedy))
        time.sleep(POLL)
        seen = wanted()


def _orphan(lock: typing.IO[str], ground: Ground) -> str:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "a {0} of an earlier, interrupted run is still at work (it holds {1})".format(
            ground.tool, ground.lock_file
        )
    return ""


def _ddl(ground: Ground) -> str:
    running = sql.running_ddl(ground.connection, ground.schemas)
    if not running:
        return ""
    return "the database server still carries out {0!r} for connection {1}, {2} s so far".format(
        running[0][2], running[0][0], running[0][1]
    )
