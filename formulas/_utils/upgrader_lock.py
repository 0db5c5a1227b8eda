"""One at a time, on one node. The kernel drops the lock when its owner dies, so a crash never leaves a stale one."""

import contextlib
import fcntl
import os
import typing


class LockHeld(Exception):
    """Somebody else is at it; the message says what is locked and by which process."""


@contextlib.contextmanager
def exclusively(path: str, what: str) -> typing.Iterator[None]:
    """Hold ``path`` locked for the length of the block. Raises LockHeld at once when it is taken.

    :param what: what is locked, for the error text, e.g. ``a backup of this node``
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise LockHeld("{} is in use by process {} (lock {}): wait for it".format(what, owner, path)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, "{}\n".format(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(path: str) -> bool:
    """Whether somebody holds ``path`` locked right now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
