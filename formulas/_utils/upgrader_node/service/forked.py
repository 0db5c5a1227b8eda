"""Runs a service's tool without importing it each time: 2 s of imports stand before 0.2 s of work, and a phase is several commands.

For each tool one resident process (``service.forkserver``) has imported it and forks for every command. Where that cannot be,
the command is run as ever, and the log says why: nothing has begun until the command's own process has said so. Only root
can ask, because the sockets stand in a folder of root's. Locks and records are handed over as descriptors, at the numbers
that the command's words name, and live exactly as long as the command does.
"""

import array
import contextlib
import logging
import os
import signal
import socket
import tempfile
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import lock as host_lock
from upgrader_node.service import manage, resident
from upgrader_node.service.resident import BEGIN_SECONDS, NotForked, Server, connected, heard, ready, tell

END_SECONDS = 60.0
STDIN = 60000  # a pipe holds 64 KiB, and nobody reads before the command has begun

# The tool itself, in the Python that ran something before it: argv is the tool's script and its words.
START = """\
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
_log = logging.getLogger(__name__)


class Command(typing.NamedTuple):
    """One command of a tool: ``before`` is Python to be run before it, with ``own_words`` for its first arguments.

    ``imports`` are modules that the tool imports by itself, but not before it works.
    """

    python: str
    script: str
    words: typing.Tuple[str, ...]
    before: str = ""
    own_words: typing.Tuple[str, ...] = ()
    imports: typing.Tuple[str, ...] = ()

    def server(self, home: str, user: typing.Optional[manage.Account]) -> Server:
        """The resident process that it can be forked by."""
        return Server(self.python, self.script, user.home if user else home, user, self.imports)

    def argv(self) -> typing.List[str]:
        """The same command in a process of its own."""
        if not self.before:
            return [self.script, *self.words]
        return [self.python, "-c", self.before + START, *self.own_words, self.script, *self.words]


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
    try:
        return _forked(command.server(home, user), command, timeout, stdin, shown, secrets, keep_open)
    except NotForked as reason:
        _log.warning("%s is imported for each command: %s", command.script, reason)
    return manage.run(command.argv(), timeout, stdin, shown, secrets, keep_open, home, user)


def begin(command: Command, home: str = "/", user: typing.Optional[manage.Account] = None) -> None:
    """A command of this tool comes soon: have it imported meanwhile. What is in the way is told when the command comes."""
    with contextlib.suppress(NotForked, OSError):
        resident.begin(command.server(home, user))


def end(command: Command, home: str = "/", user: typing.Optional[manage.Account] = None) -> None:
    """End the resident process that forks such commands, if there is one. What it has begun goes on; left alone, it ends by itself."""
    server = command.server(home, user)
    try:
        link = connected(server.path)
        if link is None:
            return
        with link:
            if "ready" in (heard(link, BEGIN_SECONDS) or {}):
                tell(link, {"end": True})
            os.unlink(server.path)
    except (OSError, NotForked) as error:
        _log.warning("the process that imported %s is left to end by itself: %s", command.script, error)


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
    if len(stdin) > STDIN:
        raise NotForked("its stdin is longer than {0} bytes".format(STDIN))
    with ready(server) as link, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
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
    begun = heard(link, max(timeout, BEGIN_SECONDS)) or {}
    if "refused" in begun:
        raise NotForked(begun["refused"])
    if "ended" in begun:
        return int(begun["ended"])
    if "begun" not in begun:
        raise _lost(command, "whether it has begun is not known")
    pid, born = int(begun["begun"]), host_lock.born(int(begun["begun"]))
    ended = heard(link, timeout)
    if ended is None:
        _kill(pid)
        heard(link, END_SECONDS)
        return manage.TIMED_OUT
    if "ended" not in ended:
        _end_orphan(pid, born)
        raise _lost(command, "what it had begun was stopped, and how far it came is not known")
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
        tell(
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


def _lost(command: Command, known: str) -> StepError:
    words = (
        "the process that waits for '{0}' was lost (killed, or out of memory): {1};"
        " run the step again, which waits for whatever is left of it"
    )
    return StepError(words.format(os.path.basename(command.script), known))


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
