"""One upgrade of a database at a time, and nothing beside what an earlier, lost one still does.

Two locks keep upgrades apart. The server's keeps other nodes away and goes with our connection. The file's is inherited
by the tool, so it stays while an orphan of a killed minion still runs.
"""

import contextlib
import fcntl
import time
import typing

import upgrader_database
from upgrader_conf import StepError

POLL = 0.5


class Ground(typing.NamedTuple):
    """What is locked: a service's ``schemas`` (the first names the lock), and how long to wait, in seconds."""

    connection: typing.Any
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
    """Hold both locks; wait, bounded, for a lost tool and for DDL that the server still does. Yields the file's descriptor."""
    connection, name = ground.connection, lock_name(ground.service, ground.schemas[0])
    if upgrader_database.scalar(connection, "SELECT GET_LOCK(%s, 5)", (name,)) != 1:
        holder = upgrader_database.scalar(connection, "SELECT IS_USED_LOCK(%s)", (name,))
        raise StepError(
            "another upgrade of {0} is at work: database connection {1} holds the lock {2};"
            " wait for it, or end it with KILL {1} when it is dead".format(ground.schemas[0], holder, name)
        )
    try:
        with open(ground.lock_file, "a") as lock:
            _until(lambda: _orphan(lock, ground), ground.patience, "wait for it or end it, then run the step again")
            _until(
                lambda: _ddl(ground),
                ground.patience,
                "wait until SHOW PROCESSLIST is free of it, then run the step again",
            )
            yield lock.fileno()
    finally:
        upgrader_database.scalar(connection, "SELECT RELEASE_LOCK(%s)", (name,))


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
    found = upgrader_database.running_ddl(ground.connection, ground.schemas)
    if not found:
        return ""
    return "the database server still carries out {0!r} for connection {1}, {2} s so far".format(
        found[0][2], found[0][0], found[0][1]
    )
