"""The resident process that has imported a service's tool: found, or started; only root can ask it.

Its socket stands in a folder of root's alone, and its name says what is behind it: the tool, its Python, as whom it runs and
this very version of the server. Whether what was imported is still what is installed, the server itself looks at before
each command (``service.forkserver``): it alone knows every file that it has read.
"""

import contextlib
import fcntl
import hashlib
import inspect
import json
import os
import re
import socket
import stat
import subprocess
import time
import typing

from upgrader_node.host import lock as host_lock
from upgrader_node.service import forkserver, manage

FOLDER = os.path.join(host_lock.FOLDER, "fork")
IMPORT_SECONDS, BEGIN_SECONDS = 90.0, 30.0
IDLE_SECONDS = 300.0
"""So long the process waits for a further command before it ends by itself."""
UNFIT_SECONDS = 600.0
"""So long a tool that could not be forked is not tried again."""
_BOOT = "import os; exec(compile(os.fdopen(os.dup(0), 'rb').read(), 'forkserver', 'exec'))"
_PADDING = " " * 3000  # room for the titles of the commands
_GUARD = re.compile(r"""^if __name__ == ['"]__main__['"]:""", re.MULTILINE)
Message = typing.Mapping[str, typing.Any]


class NotForked(Exception):
    """Why a command is to be run as ever. Nothing has been begun."""


class Server(typing.NamedTuple):
    """One resident process: the tool that it has imported, with further modules, and as whom it runs; ``path`` is its socket."""

    python: str
    script: str
    home: str
    user: typing.Optional[manage.Account]
    imports: typing.Tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The name says what is behind it, so that another tool, or another version of the server, is never asked."""
        parts = (
            self.python,
            self.script,
            self.home,
            repr(self.user),
            repr(self.imports),
            _BOOT,
            inspect.getsource(forkserver),
        )
        digest = hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()[:16]
        return os.path.join(FOLDER, "{0}-{1}".format(os.path.basename(self.script)[:32], digest))


def tell(link: socket.socket, what: Message) -> None:
    link.send(json.dumps(what).encode("ascii"))


def heard(link: socket.socket, seconds: float) -> typing.Optional[Message]:
    """The next message, ``{}`` when the other side is gone, None when there was none in time."""
    link.settimeout(seconds)
    try:
        text = link.recv(forkserver.ORDER)
    except socket.timeout:
        return None
    except OSError:
        return {}
    return typing.cast(Message, json.loads(text.decode("ascii"))) if text else {}


def ready(server: Server) -> socket.socket:
    """A connection to a server that has imported the tool as it stands now. NotForked where there is none to be had."""
    try:
        _demand_sound(server)
        for anew in (False, True, True):  # a server may be stale, and a file written while the next one imports it
            link = _reached(server, anew)
            said = heard(link, IMPORT_SECONDS)
            if said and "ready" in said:
                return link
            link.close()
            if said is None or "refused" in said:
                break
        raise _unfit(server.path, said)
    except OSError as error:
        raise NotForked(str(error)) from None


def begin(server: Server) -> None:
    """Have the tool imported from now on, where it is not, and wait for nothing. NotForked and OSError say what is in the way."""
    _demand_sound(server)
    _reached(server, False).close()


def _demand_sound(server: Server) -> None:
    _demand_guard(server.script)
    _demand_folder()
    _demand_fit(server.path)


def _demand_guard(script: str) -> None:
    """A script that does its work whatever it is called cannot be imported."""
    with open(script, encoding="utf-8", errors="replace") as opened:
        if not _GUARD.search(opened.read(forkserver.ORDER)):
            raise NotForked("the script does not ask whether it is __main__")


def _demand_folder() -> None:
    """Nobody but us may make, or have made, a socket where we ask."""
    for folder, others in ((os.path.dirname(FOLDER), 0o022), (FOLDER, 0o077)):
        os.makedirs(folder, 0o700, exist_ok=True)
        seen = os.lstat(folder)
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & others:
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
        return (None if anew else connected(server.path)) or _started(server)
    finally:
        os.close(descriptor)


def connected(path: str) -> typing.Optional[socket.socket]:
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


def _started(server: Server) -> socket.socket:
    """A connection to a resident process that begins just now; it answers when it has imported its tool."""
    beside = server.path + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(beside)
        os.chmod(beside, 0o600)
        listener.listen(16)
        link = connected(beside)
        if link is None:
            raise NotForked("nothing can be connected to in {0}".format(FOLDER))
        try:
            _launch(server, listener.fileno())
            os.rename(beside, server.path)
        except (OSError, NotForked):
            link.close()
            raise
    return link


def _launch(server: Server, listener: int) -> None:
    """The process that forks the resident one, to its end."""
    words = [str(listener), str(os.geteuid()), str(IDLE_SECONDS), server.script, " ".join(server.imports), _PADDING]
    process = subprocess.Popen(
        [server.python, "-c", _BOOT, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=manage.clean_environment(server.home),
        cwd="/",
        start_new_session=True,
        pass_fds=(listener,),
        preexec_fn=server.user.become if server.user else None,
    )
    try:
        process.communicate(inspect.getsource(forkserver).encode("utf-8"), timeout=BEGIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    if process.returncode:
        raise NotForked("{0} ended with exit code {1} before it had forked".format(server.python, process.returncode))
