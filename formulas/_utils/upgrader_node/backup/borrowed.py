"""Global settings of the database server that are changed for a while and given back, whatever happens in between.

A mark on disk, written before the change, holds what was there: a call that was killed leaves it behind, and the next
one gives back what it says. Marks are below /run: a server that was rebooted has forgotten the change, and so has the mark.
"""

import contextlib
import json
import os
import time
import typing

from upgrader_node.backup import receipt
from upgrader_node.database import galera, sql
from upgrader_node.host import lock

MARKS = "/run/upgrader-borrowed"
SYNC_SECONDS, STALE_SECONDS = 600.0, 60.0
DIRTY_PAGES, DESYNC = "innodb_max_dirty_pages_pct", "wsrep_desync"
MOST_WRITES, WRITES = "innodb_io_capacity_max", "innodb_io_capacity"
WHOLE = (DESYNC, MOST_WRITES, WRITES)
PAGES_A_SECOND = 5000  # 80 MB/s; the default of 200 pages takes a minute for every 200 MB that wait in memory
CHECKPOINT = "Innodb_lsn_last_checkpoint"
MARK_BYTES = 16  # the record that a checkpoint itself leaves in the log: after it nothing is waiting to be written
Connect = typing.Callable[[], typing.Any]


@contextlib.contextmanager
def borrowed(connect: Connect, name: str, value: typing.Any, marks: str = MARKS) -> typing.Iterator[None]:
    """Have a global variable at ``value`` for the length of the block. Hold ``lock.DATABASE`` meanwhile.

    :param connect: gives a fresh connection: the one of before may be gone when the block ends
    A mark that a killed call left stays as it is: what it holds is the true value, what the server says is not.
    """
    with connect() as connection:
        os.makedirs(marks, mode=0o700, exist_ok=True)
        if not os.path.exists(os.path.join(marks, name)):
            before = sql.scalar(connection, "SELECT @@GLOBAL.{}".format(name))
            receipt.write(os.path.join(marks, name), {"value": float(before)})
        _set(connection, name, value)
    try:
        yield
    finally:
        with connect() as connection:
            _give_back(connection, name, marks)


def give_back_stale(connection: typing.Any, marks: str = MARKS, locks: str = "") -> None:
    """Give back what a killed call left changed. What a running one needs is left alone.

    A node that gets its desync back is given a minute to catch up; one that needs longer is for the caller to judge.
    """
    held = os.listdir(marks) if os.path.isdir(marks) and lock.owner(lock.DATABASE, locks) is None else []
    names = [name for name in held if name in (DIRTY_PAGES, *WHOLE)]  # a mark that was cut off half written is none
    for name in names:
        _give_back(connection, name, marks)
    if DESYNC in names:
        _until(lambda: _is_synced(connection), STALE_SECONDS)


@contextlib.contextmanager
def stepped_aside(connect: Connect, marks: str = MARKS) -> typing.Iterator[None]:
    """Take this node out of its cluster's flow control for the length of the block: a donor that lags must not slow the others.

    Does nothing for a server that stands alone, for the only member, and for one that an operator has desynced already.
    """
    with connect() as connection:
        state = galera.status(connection)
    if not state["galera"] or state["size"] < 2 or state["desync"]:
        yield
        return
    with borrowed(connect, DESYNC, 1, marks):
        yield
    with connect() as connection:
        _until(lambda: _is_synced(connection), SYNC_SECONDS)


def checkpoint(connect: Connect, seconds: float, marks: str = MARKS) -> bool:
    """Have InnoDB write down all that it has changed so far; False when that takes longer than ``seconds``.

    mariabackup reads the redo log from the last checkpoint on. When a DISCARD of an imported table is in it, it takes the
    table for dropped and leaves it out, without an error, and so does a state transfer, which uses the same tool (seen
    with 10.11.19; an idle server makes no checkpoint by itself for hours).
    """
    with connect() as connection:
        wanted = _number(connection, "Innodb_lsn_current")
        if wanted < 0:
            return True  # a server from before 10.5, which makes checkpoints all the time

        def written() -> bool:
            last = _number(connection, CHECKPOINT)
            return last >= wanted or _number(connection, "Innodb_lsn_current") - last <= MARK_BYTES

        with contextlib.ExitStack() as changed:
            for name in (MOST_WRITES, WRITES):
                if int(sql.scalar(connection, "SELECT @@GLOBAL.{}".format(name))) < PAGES_A_SECOND:
                    changed.enter_context(borrowed(connect, name, PAGES_A_SECOND, marks))
            changed.enter_context(borrowed(connect, DIRTY_PAGES, 0, marks))
            return _until(written, seconds)


def _is_synced(connection: typing.Any) -> bool:
    return bool(galera.status(connection).get("state") == galera.SYNCED)


def _number(connection: typing.Any, name: str) -> int:
    """A status number, -1 when the server has none of that name."""
    held = sql.rows(connection, "SHOW GLOBAL STATUS LIKE %s", (name,))
    return int(held[0][1]) if held else -1


def _until(condition: typing.Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _give_back(connection: typing.Any, name: str, marks: str) -> None:
    path = os.path.join(marks, name)
    with open(path) as file:
        before = json.load(file)["value"]
    _set(connection, name, before)
    os.unlink(path)


def _set(connection: typing.Any, name: str, value: float) -> None:
    galera.run(connection, "SET GLOBAL {} = {}".format(name, int(value) if name in WHOLE else value))
