"""The database server of this node: whether it runs, who else holds its files, how it is started, what it said last."""

import os
import re
import shutil
import time
import typing

from upgrader_node.database import local_server
from upgrader_node.host import pipeline
from upgrader_node.restore import founding, service_control
from upgrader_node.restore.service_control import Functions, Server, ServiceFailed

STOPPED = ("inactive", "failed")
FOUNDING_FILE = "/run/mariadb-wsrep-new-cluster"
FOUNDING_VARIABLE = "_WSREP_NEW_CLUSTER"
GALERA_PORT = 4567
CANNOT_FOUND = (
    "no way to found a cluster with service {} is known here (galera_new_cluster, a bootstrap unit, or an init script that "
    "can): install the server package that brings one"
)
_WORDS = re.compile(r"WSREP|\[ERROR\]|galera", re.IGNORECASE)
_COMPLAINT = re.compile(r"\[ERROR\]|error|fail|denied|refused|no space|timed out", re.IGNORECASE)


def unit(salt: Functions) -> Server:
    """The service of the database server. Raises ServiceFailed. ``salt`` is the calling module's ``__salt__``."""
    return service_control.find(salt, local_server.datadir(shutil.which))


def state(server: Server) -> str:
    """systemd's word for it: ``active``, ``activating``, ``inactive``, ``failed`` and so on.

    Init scripts know only whether a server answers. One that receives its state does not yet, so a process on its files
    counts as ``activating``.
    """
    if "service.show" in server.salt:
        states = [str(server.salt["service.show"](name).get("ActiveState", "inactive")) for name in _units(server)]
        return next((word for word in states if word not in STOPPED), states[0])
    if server.salt["service.status"](server.name):
        return "active"
    return "activating" if holders(server.datadir) else "inactive"


def _units(server: Server) -> typing.List[str]:
    """The server's own unit, and the one that it has run in since it founded a cluster."""
    return [server.name] + [name for name in [founding.bootstrap_unit(server.name)] if name]


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


def stop(server: Server, datadir: str, timeout: float) -> bool:
    """Stop the server and prove it: by its init system, and by no process on its files. Returns whether it ran before."""
    ran = state(server) not in STOPPED
    deadline = time.monotonic() + timeout
    for name in _units(server) if service_control.on_systemd() else [server.name]:
        if ran and not service_control.stop(server, name) and holders(datadir):
            raise ServiceFailed("{} cannot be stopped: {}".format(name, still_there(server, datadir)))
    while state(server) not in STOPPED or holders(datadir):
        if time.monotonic() > deadline:
            raise ServiceFailed(still_there(server, datadir))
        time.sleep(0.2)
    return ran


def still_there(server: Server, datadir: str) -> str:
    """Who still works on a data directory, in one sentence with the remedy."""
    who = ", ".join("{} (process {})".format(program, pid) for pid, program in holders(datadir)) or "no process"
    return "{} is {} and {} still holds files of {}: end it, then 'upgrader resume'".format(
        server, state(server), who, datadir
    )


def start(server: Server) -> None:
    """Ask for a start: how far it comes is watched from outside, with a deadline of our own. Raises ServiceFailed."""
    _forget_failures(server)
    if not service_control.start(server) and state(server) in STOPPED:
        raise ServiceFailed("{} cannot be started; {} says why".format(server, where_it_says(server)))


def found(server: Server, timeout: float) -> pipeline.Ended:
    """Start the server as the first member of a cluster. No option file is touched. Raises ServiceFailed."""
    command = founding.command(server, shutil.which)
    if not command:
        raise ServiceFailed(CANNOT_FOUND.format(server))
    _forget_failures(server)
    return pipeline.run([command], timeout=timeout)[0]


def can_found(salt: Functions) -> bool:
    """Whether this node has a database server, and a known way to found a cluster with it."""
    try:
        return bool(founding.command(unit(salt), shutil.which))
    except ServiceFailed:
        return False


def _forget_failures(server: Server) -> None:
    """systemd refuses a unit that failed too often a moment ago."""
    if service_control.on_systemd():
        pipeline.run([["systemctl", "reset-failed", server.name]], timeout=60)


def forget_founding() -> None:
    """Take back what makes the next plain start of this node found a second cluster.

    ``galera_new_cluster`` takes it back itself, unless it is killed; older versions leave it in systemd's environment.
    The other ways hand it to one process only.
    """
    try:
        os.unlink(FOUNDING_FILE)
    except FileNotFoundError:
        pass
    if service_control.on_systemd():
        pipeline.run([["systemctl", "unset-environment", FOUNDING_VARIABLE]], timeout=60)


def would_found() -> str:
    """What would make the next plain start found a second cluster, or an empty text."""
    if os.path.exists(FOUNDING_FILE):
        return FOUNDING_FILE
    if not service_control.on_systemd():
        return ""
    environment = pipeline.output(["systemctl", "show-environment"], timeout=60)
    return "systemd's environment ({})".format(FOUNDING_VARIABLE) if FOUNDING_VARIABLE in environment else ""


def where_it_says(server: Server) -> str:
    """Where the server of this node writes why it does not run."""
    return "'journalctl -u {}'".format(server) if service_control.on_systemd() else "its error log, or syslog,"


def said(
    server: Server,
    since: float,
    log: str = "",
    program_runs: typing.Callable[[str], typing.Optional[str]] = shutil.which,
) -> typing.List[str]:
    """What the server wrote about its cluster since a moment (seconds of the epoch), oldest first: journal and error log."""
    lines = []  # type: typing.List[str]
    if program_runs("journalctl") and service_control.on_systemd():
        command = [
            "journalctl",
            "--unit={}*".format(server),
            "--since=@{}".format(int(since)),
            "--output=cat",
            "--no-pager",
        ]
        lines += pipeline.output(command, timeout=60).splitlines()
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
