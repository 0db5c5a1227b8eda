"""One long call at a time, on one node, by the kernel: a lock goes when its owner dies, so a crash never leaves a stale one.

The file names its owner: function, run, process and since when. Who reads that takes no lock, so asking never stands in
the way of a call that is about to begin. Which calls hold which lock:

========= =========================== =================================================================================
lock      node                        held by
========= =========================== =================================================================================
DATABASE  each database node          ``upgrader_backup.create``, ``upgrader_tablespace.load`` and ``.compare``
RESTORE   each database node          ``upgrader_restore.place``, ``.stop``, ``.swap``, ``.found``, ``.join``, ``.verify``,
                                      ``upgrader_member.hold``, ``.stop``, ``.set_aside``, ``.found``, ``.settle``, ``.rejoin``
STORE     the backup node             ``upgrader_store.prove``, ``.prepared``, ``.prune``, ``.remove_scratch``,
                                      ``upgrader_export.create``, ``upgrader_clone.fill``: all that use a scratch server
CLONES    the backup node             ``upgrader_clone.create``, ``.fill``, ``.drop``, ``upgrader_production.create_databases``
KEYS      the Salt master's node      ``upgrader_key.replace``, ``.restore``
WINDOW    each controller             ``upgrader_window.stop``, ``.start``
vm-NAME   each foundation node        ``upgrader_vm.stop``, ``.start``, ``.define``, ``.remove``, ``upgrader_disk.keep``, ``.hash``,
                                      ``.verify``, ``.restore``, ``.discard``, ``.prepare``, ``.place``
SERVICES  computes and gateways       ``upgrader_compute.reconnect``, ``.restart``
PACKAGES  computes and gateways       ``upgrader_package.record``, ``.difference``, ``.upgrade``, ``.restore``
ROUTES    computes and gateways       ``upgrader_route.record``, ``upgrader_route.judge``
AGENTS    the controller that is asked ``upgrader_agents.record``, ``.proven``, ``.move``, ``.back``, ``.evacuate``, ``.closed``
prober    each node that watches      ``upgrader_prober.start``; in the prober's own folder, with ``prober-RUN`` of the prober itself
path      computes and gateways       ``upgrader_path.start``; in its own folder, with ``path-RUN`` of the program itself
========= =========================== =================================================================================
"""

import contextlib
import fcntl
import json
import os
import time
import typing

from upgrader_node.errors import StepError

FOLDER = "/run/upgrader"


class Lock(typing.NamedTuple):
    """A lock: the name of its file, and what it keeps, for sentences."""

    name: str
    what: str


DATABASE = Lock("database", "the database server of this node")
RESTORE = Lock("restore", "the restore of this node")
STORE = Lock("store", "the backup store")
CLONES = Lock("clones", "the work on the clones")
KEYS = Lock("keys", "the keys of the Salt master's minions")
WINDOW = Lock("window", "the services of this node")
AGENTS = Lock("agents", "what this controller is asked of computes and gateways")
PACKAGES = Lock("packages", "the packages of this node")


class Owner(typing.NamedTuple):
    """Who holds a lock. ``born`` is the process's start in clock ticks since boot: with it a pid is told from its successor."""

    function: str
    run: str
    pid: int
    born: int
    since: str

    def __str__(self) -> str:
        of_run = " of run {}".format(self.run) if self.run else ""
        return "{}{} (process {}, since {})".format(self.function, of_run, self.pid, self.since)


@contextlib.contextmanager
def exclusively(lock: Lock, function: str, run: str = "", folder: str = "") -> typing.Iterator[None]:
    """Hold ``lock`` for the length of the block. Raises StepError at once, naming the owner, when it is taken.

    :param function: the function of a module that asks, as Salt names it
    :param run: the run, or the backup, that it works for
    """
    path = _path(lock, folder)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = owner(lock, folder)
            raise StepError(
                "{} is in use by {}: wait for it, then run this again".format(
                    lock.what, holder or "a call that begins or ends just now"
                )
            ) from None
        try:
            _write(descriptor, Owner(function, str(run), os.getpid(), born(os.getpid()), _now()))
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def owner(lock: Lock, folder: str = "") -> typing.Optional[Owner]:
    """Who holds ``lock`` now, or None. Takes no lock: an owner that is dead, or was another process of that id, is none."""
    try:
        with open(_path(lock, folder)) as file:
            held = Owner(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None
    return held if born(held.pid) == held.born else None


def _path(lock: Lock, folder: str) -> str:
    return os.path.join(folder or FOLDER, lock.name + ".lock")


def _write(descriptor: int, held: Owner) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(held._asdict()).encode(), 0)


def born(pid: int) -> int:
    """When a process started, in clock ticks since boot (proc(5), field 22); -1 when there is none, or only its remains."""
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return -1
    return -1 if fields[0] in "ZX" else int(fields[19])


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
