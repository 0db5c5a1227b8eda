"""Stepping aside while a backup runs: a donor that lags must not slow the whole cluster down by flow control.

A mark on disk says that it was this tool that set ``wsrep_desync``; one that an operator set is never taken back. The
mark is below /run: a server that was rebooted has forgotten its desync, and so has the mark.
"""

import contextlib
import os
import time
import typing

import upgrader_galera
import upgrader_lock

MARK = "/run/upgrader-desync"
BACKUP_LOCK = "/run/upgrader-backup.lock"
SYNC_SECONDS = 600.0


def ours(mark: str = MARK) -> bool:
    """Whether a backup of this tool set the desync and has not taken it back."""
    return os.path.exists(mark)


@contextlib.contextmanager
def stepped_aside(connect: typing.Callable[[], typing.Any], mark: str = MARK) -> typing.Iterator[None]:
    """Desync this node for the length of the block. Does nothing alone, as the only member, or when it is desynced already.

    :param connect: gives a fresh connection: the one of before may be gone when the block ends
    """
    with connect() as connection:
        found = upgrader_galera.status(connection)
        if not found["galera"] or found["size"] < 2 or found["desync"]:
            aside = False
        else:
            aside = True
            os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o600))
            upgrader_galera.run(connection, upgrader_galera.DESYNC)
    try:
        yield
    finally:
        if aside:
            with connect() as connection:
                take_back(connection, mark)


def take_back_stale(connection: typing.Any, mark: str = MARK, lock: str = BACKUP_LOCK) -> None:
    """End a desync that a killed backup left behind. One that a running backup needs is left alone."""
    if ours(mark) and not upgrader_lock.is_held(lock):
        take_back(connection, mark)


def take_back(connection: typing.Any, mark: str = MARK) -> None:
    """End a desync of ours and wait until the node has caught up; a node that does not is for the cluster's check to name."""
    upgrader_galera.run(connection, upgrader_galera.RESYNC)
    os.unlink(mark)
    deadline = time.monotonic() + SYNC_SECONDS
    while upgrader_galera.status(connection).get("state", upgrader_galera.SYNCED) != upgrader_galera.SYNCED:
        if time.monotonic() > deadline:
            return
        time.sleep(0.1)
