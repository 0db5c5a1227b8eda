"""A process that has imported a service's tool once and forks for each of its commands; run by that tool's own Python (2.7 too).

It is given its listening socket by ``service.forked`` (which alone can ask: the socket stands in a folder of root's) and ends
by itself. Each question is attended to by a process of its own, which starts the command, waits for it and tells how it
ended; so a command outlives both this server and whoever asked, and no descriptor of a question is ever open here.

One question is one connection of messages (SOCK_SEQPACKET, JSON): ``ready`` (or ``refused``, ``stale``), the order, one message
with one descriptor each, ``begun`` (by the command's process itself, when its descriptors stand), ``ended`` with the exit code.
"""

import ctypes
import fcntl
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import types

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)
else:
    import _multiprocessing

NAME = "upgrader-fork"
ORDER = 131072
HIGH = 512  # our own descriptors go above this, so that those of a command can have the numbers that its words name
SAID = 65536
# Of the standard library as it is now: a tool may put eventlet's in their places while it is imported.
FORK, READ, WRITE, WAITPID, SELECT, SOCKET = os.fork, os.read, os.write, os.waitpid, select.select, socket.socket
KEPT = []  # type: typing.List[typing.Any]  # not collected in a command's process, because the names of this program are in it


def tell(link, what):
    # type: (int, typing.Dict[str, typing.Any]) -> None
    """One message. Whoever asked may be gone by now: what has begun goes on all the same."""
    try:
        WRITE(link, json.dumps(what).encode("ascii"))
    except OSError:
        return


def native(text):
    # type: (typing.Any) -> str
    """Text of an order as this Python's own ``str``."""
    return str(text) if sys.version_info >= (3,) else text.encode("utf-8")


def title(name, words):
    # type: (str, typing.Sequence[str]) -> None
    """What ps shows. The place is that of our own arguments, of which the last is long and empty; what does not fit is cut."""
    with open("/proc/self/stat") as opened:
        fields = opened.read().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # proc(5): arg_start and arg_end, fields 48 and 49
    if start:
        text = b"\0".join(word if isinstance(word, bytes) else word.encode("utf-8") for word in words)
        ctypes.memmove(start, text[: end - start - 1].ljust(end - start, b"\0"), end - start)
    with open("/proc/self/comm", "w") as opened:
        opened.write(native(name[:15]))


def descriptors():
    # type: () -> typing.Dict[int, str]
    """Every open descriptor but 0, 1 and 2, and what it is."""
    names = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
    # Without the listing's own.
    return {
        int(name): os.readlink("/proc/self/fd/" + name) for name in names if os.path.lexists("/proc/self/fd/" + name)
    }


def silence(*numbers):
    # type: (int) -> None
    """Nothing is read from these descriptors, and what is written there is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(null, number)
    os.close(null)


class Import(object):
    """What came of importing a tool: why it cannot be forked, if so, what it said, and the files that it is made of."""

    def __init__(self, script, more):
        # type: (str, typing.Sequence[str]) -> None
        began, known = time.time(), set(descriptors())
        self.said = [b"", b""]
        self.trouble = self._load(script, more)
        forget_hub()
        self.trouble = self.trouble or self._left(known)
        self.files = {} if self.trouble else stamps(loaded(script))
        # A clock of the file system's is a few milliseconds behind.
        late = [path for path, stamp in self.files.items() if stamp[3] > began - 0.1 and not os.path.isdir(path)]
        self.late = min(late) if late else ""

    def _load(self, script, more):
        # type: (str, typing.Sequence[str]) -> str
        """Run the tool's script under another name than __main__, then import ``more``; what is said is kept, for commands to say it."""
        sys.argv, sys.path[0] = [script, "--help"], os.path.dirname(script)
        outputs = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        for number, output in enumerate(outputs):
            os.dup2(output.fileno(), number + 1)
        try:
            runpy.run_path(script, run_name="upgrader_import")
            for name in more:
                importlib.import_module(name)
            trouble = ""
        except BaseException as error:  # noqa: BLE001 (SystemExit as well: whatever ends an import is told)
            trouble = "importing {0} failed: {1}: {2}".format(script, type(error).__name__, str(error)[:200])
        sys.stdout.flush()
        sys.stderr.flush()
        for number, output in enumerate(outputs):
            output.seek(0)
            self.said[number] = output.read(SAID)
            output.close()
        silence(1, 2)
        return trouble

    @staticmethod
    def _left(known):
        # type: (typing.Set[int]) -> str
        """Whatever two processes cannot share: threads, connections, an event loop."""
        if len(os.listdir("/proc/self/task")) > 1:
            return "it has threads as soon as it is imported"
        open_now = [what for number, what in sorted(descriptors().items()) if number not in known]
        shared = [what for what in open_now if what.startswith(("socket:", "anon_inode:", "pipe:"))]
        return "it keeps {0} open as soon as it is imported".format(shared[0]) if shared else ""

    def changed(self):
        # type: () -> str
        """A file that is not as it was imported, or was written while it was, or ""."""
        now = stamps(self.files)
        return self.late or next((path for path in sorted(self.files) if now[path] != self.files[path]), "")


def forget_hub():
    # type: () -> None
    """An event loop of eventlet's, with its epoll, that nothing waits in: each command makes its own, of the same kind.

    nova's is made while it is imported: urllib3 opens a socket to see whether there is IPv6, and the socket is eventlet's.
    """
    hubs = sys.modules.get("eventlet.hubs")
    local = getattr(hubs, "_threadlocal", None)  # type: typing.Any
    hub = getattr(local, "hub", None)
    if hub and hubs and not (hub.running or hub.timers or hub.next_timers or hub.get_readers() or hub.get_writers()):
        hubs.use_hub(local.Hub)
        getattr(getattr(hub, "poll", None), "close", int)()


def loaded(script):
    # type: (str) -> typing.Set[str]
    """The source of every module, every library that is mapped, the script, and the folders where modules are looked for."""
    names = {script}
    for module in list(sys.modules.values()):
        name = getattr(module, "__dict__", {}).get("__file__") or ""
        names.add(name[:-1] if name.endswith((".pyc", ".pyo")) and os.path.exists(name[:-1]) else name)
    with open("/proc/self/maps") as opened:
        names.update(line.split(None, 5)[5].strip() for line in opened if "/" in line)
    names.update(folder for folder in sys.path if os.path.isdir(folder))
    return {name for name in names if os.path.isabs(name) and (os.path.isfile(name) or os.path.isdir(name))}


def stamps(paths):
    # type: (typing.Iterable[str]) -> typing.Dict[str, typing.Any]
    """What changes with a file: number, size, time of its content and of its entry. Noughts for one that is not there."""
    found = {}  # type: typing.Dict[str, typing.Any]
    for path in paths:
        try:
            seen = os.stat(path)
            found[path] = (seen.st_ino, seen.st_size, seen.st_mtime, seen.st_ctime)
        except OSError:
            found[path] = (0, 0, 0, 0)
    return found


def accepted(listener):
    # type: (typing.Any) -> typing.Any
    if sys.version_info >= (3,):
        return SOCKET(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, listener._accept()[0])
    return listener.accept()[0]


def descriptor(connection):
    # type: (typing.Any) -> int
    """The descriptor that comes with the next message."""
    if sys.version_info < (3,):
        return int(_multiprocessing.recvfd(connection.fileno()))
    _, more, _, _ = connection.recvmsg(1, socket.CMSG_LEN(4))
    return int(struct.unpack("i", more[0][2][:4])[0])


def serve(listener, asker, idle, tool):
    # type: (typing.Any, int, float, Import) -> typing.Optional[typing.Dict[str, typing.Any]]
    """Until nobody has asked for ``idle`` seconds. Returns None then, and in the process of a command the order for it."""
    server = os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that attend
    while SELECT([listener], [], [], idle)[0]:
        connection = accepted(listener)
        changed = "" if tool.trouble else tool.changed()
        if tool.trouble or changed:
            tell(connection.fileno(), {"refused": tool.trouble} if tool.trouble else {"stale": changed})
            return None
        if not FORK():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return attend(connection, asker, server)
        connection.close()
    return None


def attend(connection, asker, server):
    # type: (typing.Any, int, int) -> typing.Dict[str, typing.Any]
    """One question, from its beginning to its end. Returns in the command's process only."""
    link = fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD, HIGH)
    credentials = connection.getsockopt(socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", 17), 12)
    if struct.unpack("3i", credentials)[1] != asker:
        os._exit(1)
    tell(link, {"ready": True})
    text = READ(link, ORDER)
    order = json.loads(text.decode("ascii")) if text else {"end": False}  # type: typing.Dict[str, typing.Any]
    if "end" in order:
        if order["end"] and os.getppid() == server:
            os.kill(server, signal.SIGTERM)
        os._exit(0)
    used = set(descriptors()) - {connection.fileno()}
    given = [descriptor(connection) for _ in order["descriptors"]]
    taken = [number for number in order["descriptors"] if number in used or number >= HIGH]
    if taken:
        tell(link, {"refused": "descriptor {0} is in use since the tool was imported".format(taken[0])})
        os._exit(0)
    connection.close()
    try:
        pid = FORK()
    except OSError as error:
        tell(link, {"refused": "it cannot fork: {0}".format(error)})
        os._exit(0)
    if not pid:
        become(link, order, given)
        return order
    for number in given:
        os.close(number)
    title(NAME, [NAME, os.path.basename(order["title"][1]) + ":", "waits for process", str(pid)])
    status = WAITPID(pid, 0)[1]
    tell(link, {"ended": -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)})
    return os._exit(0)


def become(link, order, given):
    # type: (int, typing.Dict[str, typing.Any], typing.Sequence[int]) -> None
    """This process as a command finds itself: a session of its own, and its descriptors at the numbers that its words name."""
    os.setsid()
    os.umask(order["umask"])
    high = [fcntl.fcntl(number, fcntl.F_DUPFD, HIGH) for number in given]
    for number in given:
        os.close(number)
    for number, wanted in zip(high, order["descriptors"]):
        os.dup2(number, wanted)
        os.close(number)
    title(os.path.basename(order["title"][1]), order["title"])
    tell(link, {"begun": os.getpid()})
    os.close(link)
    random.seed()


def main():
    # type: () -> None
    """``python -c BOOT LISTENER ASKER IDLE SCRIPT MODULES PADDING``, this text on stdin. In the command's process it ends as its program does."""
    number, asker, idle, script = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    if FORK():
        os._exit(0)
    silence(0)
    listener = socket.fromfd(number, socket.AF_UNIX, socket.SOCK_SEQPACKET)
    os.close(number)
    name = os.path.basename(script)
    title(NAME, [NAME, name + ":", "imports"])
    tool = Import(script, sys.argv[5].split())
    title(NAME, [NAME, name + ":", "imported, waits for commands"])
    order = serve(listener, asker, idle, tool)
    if order is None:
        os._exit(0)
    for output, said in enumerate(tool.said):
        if said:
            WRITE(output + 1, said)
    KEPT.append(sys.modules["__main__"])
    sys.modules["__main__"] = fresh = types.ModuleType("__main__")
    sys.argv = ["-c"] + [native(word) for word in order["words"]]
    exec(compile(native(order["program"]), "<string>", "exec"), fresh.__dict__)


if __name__ == "__main__":
    main()
