"""The database server of this node as a service: which unit, whether it runs, who else holds its files, what it said last."""

import os
import re
import shutil
import time
import typing

import upgrader_pipeline

UNITS = ("mariadb.service", "mysql.service")
STOPPED = ("inactive", "failed")
FOUNDING_FILE = "/run/mariadb-wsrep-new-cluster"
FOUNDING_VARIABLE = "_WSREP_NEW_CLUSTER"
GALERA_PORT = 4567
_WORDS = re.compile(r"WSREP|\[ERROR\]|galera", re.IGNORECASE)
_COMPLAINT = re.compile(r"\[ERROR\]|error|fail|denied|refused|no space|timed out", re.IGNORECASE)


class ServiceFailed(Exception):
    """The service does not do what it was told; the message says what it said itself, and what to do."""


def unit() -> str:
    """The unit of the database server, whichever of the two names this node has. Raises ServiceFailed."""
    for name in UNITS:
        if _shown(name, "LoadState") == "loaded":
            return name
    raise ServiceFailed("this node has neither {}: install the database server".format(" nor ".join(UNITS)))


def state(name: str) -> str:
    """``active``, ``activating``, ``inactive``, ``failed`` and so on."""
    return _shown(name, "ActiveState")


def _shown(name: str, what: str) -> str:
    words = upgrader_pipeline.output(["systemctl", "show", "--property=" + what, name], timeout=60).strip()
    return words.partition("=")[2]


def holders(datadir: str) -> typing.List[typing.Tuple[int, str]]:
    """(pid, program) of every process that works in the data directory or has a file of it open."""
    return [(pid, _program(pid)) for pid in _pids() if _holds(pid, datadir)]


def _pids() -> typing.List[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())


def _holds(pid: int, datadir: str) -> bool:
    below = datadir + os.sep
    try:
        links = ["/proc/{}/cwd".format(pid)]
        links += ["/proc/{}/fd/{}".format(pid, name) for name in os.listdir("/proc/{}/fd".format(pid))]
    except OSError:
        return False
    for link in links:
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target == datadir or target.startswith(below):
            return True
    return False


def _program(pid: int) -> str:
    try:
        with open("/proc/{}/comm".format(pid)) as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def stop(name: str, datadir: str, timeout: float) -> bool:
    """Stop the server and prove it: by systemd, and by no process on its files. Returns whether it ran before."""
    ran = state(name) not in STOPPED
    deadline = time.monotonic() + timeout
    ended = upgrader_pipeline.run([["systemctl", "stop", name]], timeout=timeout)[0]
    if ended.code != 0:
        raise ServiceFailed("{} cannot be stopped: {}".format(name, upgrader_pipeline.describe(ended)))
    while True:
        now, left = state(name), holders(datadir)
        if now in STOPPED and not left:
            return ran
        if time.monotonic() > deadline:
            raise ServiceFailed(still_there(name, now, datadir, left))
        time.sleep(0.2)


def still_there(name: str, now: str, datadir: str, left: typing.Sequence[typing.Tuple[int, str]]) -> str:
    """Who still works on a data directory, in one sentence with the remedy."""
    who = ", ".join("{} (process {})".format(program, pid) for pid, program in left) or "no process"
    return "{} is {} and {} still holds files of {}: end it, then 'upgrader resume'".format(name, now, who, datadir)


def start(name: str) -> None:
    """Ask for a start and return at once: how far it comes is watched from outside, with a deadline of our own."""
    upgrader_pipeline.run([["systemctl", "reset-failed", name]], timeout=60)
    ended = upgrader_pipeline.run([["systemctl", "start", "--no-block", name]], timeout=60)[0]
    if ended.code != 0:
        raise ServiceFailed("{} cannot be started: {}".format(name, upgrader_pipeline.describe(ended)))


def found(name: str, timeout: float) -> upgrader_pipeline.Ended:
    """Start the server as the first member of a cluster. No option file is touched (reference 6.1, fault 9)."""
    upgrader_pipeline.run([["systemctl", "reset-failed", name]], timeout=60)
    return upgrader_pipeline.run([["galera_new_cluster", name]], timeout=timeout)[0]


def forget_founding() -> None:
    """Take back what makes the next plain start of this node found a second cluster.

    ``galera_new_cluster`` takes it back itself, unless it is killed; older versions leave it in systemd's environment.
    """
    try:
        os.unlink(FOUNDING_FILE)
    except FileNotFoundError:
        pass
    upgrader_pipeline.run([["systemctl", "unset-environment", FOUNDING_VARIABLE]], timeout=60)


def would_found() -> str:
    """What would make the next plain start found a second cluster, or an empty text."""
    if os.path.exists(FOUNDING_FILE):
        return FOUNDING_FILE
    environment = upgrader_pipeline.output(["systemctl", "show-environment"], timeout=60)
    return "systemd's environment ({})".format(FOUNDING_VARIABLE) if FOUNDING_VARIABLE in environment else ""


def said(
    name: str, since: float, log: str = "", program_runs: typing.Callable[[str], typing.Optional[str]] = shutil.which
) -> typing.List[str]:
    """What the server wrote about its cluster since a moment (seconds of the epoch), oldest first: journal and error log."""
    lines = []  # type: typing.List[str]
    if program_runs("journalctl"):
        command = ["journalctl", "--unit=" + name, "--since=@{}".format(int(since)), "--output=cat", "--no-pager"]
        lines += upgrader_pipeline.output(command, timeout=60).splitlines()
    if log and os.path.exists(log):
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - 200000))
            lines += file.read().decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if _WORDS.search(line)]


def complaint(lines: typing.Sequence[str]) -> str:
    """The line that says why a server did not join: its first WSREP error, of which the later ones only follow.

    Without one, the last error, then the last word that sounds like one.
    """
    errors = [line for line in lines if "[ERROR]" in line and "Aborting" not in line]
    first = [line for line in errors if "WSREP" in line][:1]
    last = (errors or [line for line in lines if _COMPLAINT.search(line)] or list(lines))[-1:]
    return (first or last or ["it said nothing"])[0][-300:]


def transfer(lines: typing.Sequence[str], position: str) -> str:
    """How a joining server got its state, by its own log: ``IST`` (the writes it lacked), ``SST`` (everything) or nothing.

    Both run the same script; what it was given is at the server's own ``position`` (uuid:seqno) only when that was kept.
    """
    text = "\n".join(lines)
    given = re.search(r"SST received: ([0-9a-f-]{36}:-?\d+)", text)
    if given:
        return "IST" if given.group(1) == position else "SST"
    return "IST" if "IST received" in text else "no transfer"
