"""Runs a service's tool without importing it each time: 2 s of imports stand before 0.2 s of work, and a phase is several commands.

For each tool one resident process (``service.forkserver``) has imported it and forks for every command. Where that cannot be,
the command is run as ever, and the log says why: nothing has begun until the command's own process has said so. Only root
can ask, because the sockets stand in a folder of root's. Locks and records are handed over as descriptors, at the numbers
that the command's words name, and live exactly as long as the command does.
"""

import array
import contextlib
import fcntl
import hashlib
import inspect
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import lock as host_lock
from upgrader_node.service import forkserver, manage

FOLDER = os.path.join(host_lock.FOLDER, "fork")
IMPORT_SECONDS, BEGIN_SECONDS, END_SECONDS = 90.0, 30.0, 60.0
UNFIT_SECONDS = 600.0
"""So long a tool that could not be forked is not tried again."""
STDIN = 60000  # a pipe holds 64 KiB, and nobody reads before the command has begun

# The tool itself, in the Python that ran something before it: argv is the tool's script and its words.
START = """\
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
_BOOT = "import os; exec(compile(os.fdopen(os.dup(0), 'rb').read(), 'forkserver', 'exec'))"
_PADDING = " " * 3000  # room for the titles of the commands
_GUARD = re.compile(r"""^if __name__ == ['"]__main__['"]:""", re.MULTILINE)
_log = logging.getLogger(__name__)
Message = typing.Mapping[str, typing.Any]


class NotForked(Exception):
    """Why a command is to be run as ever. Nothing has been begun."""


class Command(typing.NamedTuple):
    """One command of a tool: ``before`` is Python to be run before it, with ``own_words`` for its first arguments."""

    python: str
    script: str
    words: typing.Tuple[str, ...]
    before: str = ""
    own_words: typing.Tuple[str, ...] = ()

    def argv(self) -> typing.List[str]:
        """The same command in a process of its own."""
        if not self.before:
            return [self.script, *self.words]
        return [self.python, "-c", self.before + START, *self.own_words, self.script, *self.words]


class Server(typing.NamedTuple):
    """One resident process: the tool that it has imported and as whom it runs; ``path`` is its socket."""

    python: str
    script: str
    home: str
    user: typing.Optional[manage.Account]

    @property
    def path(self) -> str:
        """The name says what is behind it, so that another tool, or another version of the server, is never asked."""
        parts = (self.python, self.script, self.home, repr(self.user), _BOOT, inspect.getsource(forkserver))
        digest = hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:16]
        return os.path.join(FOLDER, "{0}-{1}".format(os.path.basename(self.script)[:32], digest))


def run(
    command: Command,
    timeout: float,
    stdin: str = "",
    shown: str = "",
    secrets: typing.Iterable[str] = (),
    keep_open: typing.Sequence[int] = (),
    home: str = "/",
    user: typing.Optional[manage.Account] = None,
) -> manage.Outcome:
    """As ``manage.run``, by a process that is forked where that can be. StepError where the process that waits for it was lost."""
    server = _server(command.python, command.script, home, user)
    try:
        return _forked(server, command, timeout, stdin, shown, secrets, keep_open)
    except NotForked as reason:
        _log.warning("%s is imported for each command: %s", command.script, reason)
    return manage.run(command.argv(), timeout, stdin, shown, secrets, keep_open, home, user)


def end(python: str, script: str, home: str = "/", user: typing.Optional[manage.Account] = None) -> None:
    """End the resident process of a tool, if there is one. Commands that it has begun go on; left alone, it ends by itself."""
    server = _server(python, script, home, user)
    try:
        link = _connected(server.path)
        if link is None:
            return
        with link:
            if "ready" in (_heard(link, BEGIN_SECONDS) or {}):
                _tell(link, {"end": True})
            os.unlink(server.path)
    except (OSError, NotForked) as error:
        _log.warning("the process that imported %s is left to end by itself: %s", script, error)


def _server(python: str, script: str, home: str, user: typing.Optional[manage.Account]) -> Server:
    return Server(python, script, user.home if user else home, user)


def _forked(
    server: Server,
    command: Command,
    timeout: float,
    stdin: str,
    shown: str,
    secrets: typing.Iterable[str],
    keep_open: typing.Sequence[int],
) -> manage.Outcome:
    started = time.monotonic()
    with _ready(server, len(stdin)) as link, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given = {1: out.fileno(), 2: err.fileno(), **{number: number for number in keep_open}}
        code = _carried_out(link, command, stdin, given, timeout)
        texts = [manage.text(stream) for stream in (out, err)]
    told = shown or " ".join((command.script,) + command.words)
    return manage.Outcome(told, code, texts[0], texts[1], time.monotonic() - started, tuple(secrets))


def _carried_out(
    link: socket.socket, command: Command, stdin: str, given: typing.Dict[int, int], timeout: float
) -> int:
    """Have the command done, and wait for it: its exit code, as Popen gives it, or ``TIMED_OUT``."""
    _order(link, command, stdin, given)
    begun = _heard(link, BEGIN_SECONDS) or {}
    if "refused" in begun:
        raise NotForked(begun["refused"])
    if "ended" in begun:
        return int(begun["ended"])
    if "begun" not in begun:
        raise _lost(command)
    pid, born = int(begun["begun"]), host_lock.born(int(begun["begun"]))
    ended = _heard(link, timeout)
    if ended is None:
        _kill(pid)
        _heard(link, END_SECONDS)
        return manage.TIMED_OUT
    if "ended" not in ended:
        _end_orphan(pid, born)
        raise _lost(command)
    return int(ended["ended"])


def _order(link: socket.socket, command: Command, stdin: str, given: typing.Dict[int, int]) -> None:
    """The order and the descriptors that the command gets, by their numbers there; its stdin can be read to its end at once."""
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(stdin.encode("utf-8"))
        umask = os.umask(0o077)
        os.umask(umask)
        numbers = {0: reader, **given}
        _tell(
            link,
            {
                "program": command.before + START,
                "words": [*command.own_words, command.script, *command.words],
                "title": [command.python, command.script, *command.words],
                "umask": umask,
                "descriptors": list(numbers),
            },
        )
        for number in numbers.values():
            link.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [number]))])
    except OSError as error:  # before the last descriptor nothing is begun
        raise NotForked("the order did not reach it: {0}".format(error)) from None
    finally:
        os.close(reader)


def _lost(command: Command) -> StepError:
    words = (
        "the process that waits for '{0}' was lost (killed, or out of memory): what it had begun was stopped, and how far it"
        " came is not known; run the step again, which waits for whatever is left of it"
    )
    return StepError(words.format(os.path.basename(command.script)))


def _kill(pid: int) -> None:
    """The whole group of a command, whose leader it is."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _end_orphan(pid: int, born: int) -> None:
    """Kill a command that nobody waits for, unless its id is another process's by now; and see that it is gone."""
    deadline = time.monotonic() + END_SECONDS
    if born >= 0 and host_lock.born(pid) == born:
        _kill(pid)
    while born >= 0 and host_lock.born(pid) == born and time.monotonic() < deadline:
        time.sleep(0.05)


def _tell(link: socket.socket, what: Message) -> None:
    link.send(json.dumps(what).encode("ascii"))


def _heard(link: socket.socket, seconds: float) -> typing.Optional[Message]:
    """The next message, ``{}`` when the other side is gone, None when there was none in time."""
    link.settimeout(seconds)
    try:
        text = link.recv(forkserver.ORDER)
    except socket.timeout:
        return None
    except OSError:
        return {}
    return typing.cast(Message, json.loads(text.decode("ascii"))) if text else {}


def _ready(server: Server, stdin: int) -> socket.socket:
    """A connection to a server that has imported the tool as it stands now. NotForked where there is none to be had."""
    if stdin > STDIN:
        raise NotForked("its stdin is longer than {0} bytes".format(STDIN))
    try:
        _demand_guard(server.script)
        _demand_folder()
        _demand_fit(server.path)
        for anew in (False, True, True):  # a server may be stale, and a file written while the next one imports it
            link = _reached(server, anew)
            said = _heard(link, IMPORT_SECONDS)
            if said and "ready" in said:
                return link
            link.close()
            if said is None or "refused" in said:
                break
        raise _unfit(server.path, said)
    except OSError as error:
        raise NotForked(str(error)) from None


def _demand_guard(script: str) -> None:
    """A script that does its work whatever it is called cannot be imported."""
    with open(script, encoding="utf-8", errors="replace") as opened:
        if not _GUARD.search(opened.read(forkserver.ORDER)):
            raise NotForked("the script does not ask whether it is __main__")


def _demand_folder() -> None:
    """Nobody but us may make, or have made, a socket where we ask."""
    os.makedirs(FOLDER, 0o700, exist_ok=True)
    for folder in (os.path.dirname(FOLDER), FOLDER):
        seen = os.lstat(folder)
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o077:
            raise NotForked(
                "{0} is not a folder of ours alone (owner {1}, mode {2:o}); remove it".format(
                    folder, seen.st_uid, stat.S_IMODE(seen.st_mode)
                )
            )


def _demand_fit(path: str) -> None:
    """What could not be forked a moment ago is not tried at each command."""
    with contextlib.suppress(FileNotFoundError):
        if 0 <= time.time() - os.stat(path + ".unfit").st_mtime < UNFIT_SECONDS:
            with open(path + ".unfit", encoding="utf-8") as opened:
                raise NotForked(opened.read())


def _unfit(path: str, said: typing.Optional[Message]) -> NotForked:
    if said is None:
        reason = "importing it took more than {0:.0f} s".format(IMPORT_SECONDS)
    elif "stale" in said:
        reason = "{0} changes again and again".format(said["stale"])
    else:
        reason = str(said.get("refused", "the process that imported it ended before it answered"))
    with open(path + ".unfit", "w", encoding="utf-8") as opened:
        opened.write(reason)
    return NotForked(reason)


def _reached(server: Server, anew: bool) -> socket.socket:
    """A connection, to a server that is started where there is none or where ``anew`` wants another; one start at a time."""
    descriptor = os.open(server.path + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        link = None if anew else _connected(server.path)
        if link is None:
            _start(server)
            link = _connected(server.path)
        if link is None:
            raise NotForked("it cannot be connected to at {0}".format(server.path))
        return link
    finally:
        os.close(descriptor)


def _connected(path: str) -> typing.Optional[socket.socket]:
    """A connection to whoever listens there, if it is a socket of ours; None where nobody does."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.settimeout(BEGIN_SECONDS)
    try:
        if os.lstat(path).st_uid != os.geteuid():
            raise NotForked("{0} is somebody else's; remove it".format(path))
        link.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        link.close()
        return None
    except (OSError, NotForked):
        link.close()
        raise
    return link


def _start(server: Server) -> None:
    """Start the resident process; it listens from the first moment on, and answers when it has imported its tool."""
    beside = server.path + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(beside)
        os.chmod(beside, 0o600)
        listener.listen(16)
        words = [str(listener.fileno()), str(os.geteuid()), server.script, _PADDING]
        process = subprocess.Popen(
            [server.python, "-c", _BOOT, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=manage.clean_environment(server.home),
            cwd="/",
            start_new_session=True,
            pass_fds=(listener.fileno(),),
            preexec_fn=server.user.become if server.user else None,
        )
        try:
            process.communicate(inspect.getsource(forkserver).encode("utf-8"), timeout=BEGIN_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            process.communicate()
    if process.returncode:
        raise NotForked("{0} ended with exit code {1} before it had forked".format(server.python, process.returncode))
    os.rename(beside, server.path)
