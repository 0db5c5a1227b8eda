"""Running a pipeline of programs so that the failure of any member is seen, and the first cause is named.

A shell pipeline reports its last member only; a failing backup tool then leaves a plausible file behind.
"""

import fcntl
import hashlib
import os
import select
import subprocess
import tempfile
import threading
import time
import typing

Commands = typing.Sequence[typing.Sequence[str]]
Watch = typing.Callable[[typing.Callable[[], bytes], typing.Callable[[], bool]], None]


class Ended(typing.NamedTuple):
    """One member's end: its name, its exit code (negative: the signal) and the end of what it wrote to stderr."""

    program: str
    code: int
    words: str


SIGPIPE_CODES = (-13, 141)
CHUNK = 1024 * 1024
F_SETPIPE_SZ = 1031  # of linux/fcntl.h; Python names it from 3.10 on
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "HOME": "/root",
}


def first_cause(ended: typing.Sequence[Ended]) -> typing.Optional[Ended]:
    """The member that broke the pipeline: not the ones that only died because their reader went away. None when all is well."""
    failed = [member for member in ended if member.code != 0]
    own_fault = [member for member in failed if member.code not in SIGPIPE_CODES]
    suspects = own_fault or failed
    return suspects[0] if suspects else None


def describe(member: Ended) -> str:
    """``zstd ended with exit code 1: write error``."""
    how = (
        "was killed by signal {}".format(-member.code)
        if member.code < 0
        else "ended with exit code {}".format(member.code)
    )
    last = member.words.strip().splitlines()[-1:] or ["it said nothing"]
    return "{} {}: {}".format(member.program, how, last[0][-300:])


def run(
    commands: Commands, stdin: typing.Any = None, stdout: typing.Any = None, timeout: float = 3600
) -> typing.List[Ended]:
    """Run ``commands`` (argument lists) connected by pipes; returns a list of Ended, one a member, whatever they ended with.

    :param stdin: file object for the first member, default nothing
    :param stdout: file object for the last member, default thrown away
    :param timeout: seconds for all of it; members still running then are killed
    """
    said = [tempfile.TemporaryFile() for _ in commands]
    members = _start(commands, subprocess.DEVNULL if stdin is None else stdin, said, stdout)
    return _reap(commands, members, said, timeout)


def _start(
    commands: Commands, source: typing.Any, errors: typing.Sequence[typing.Any], target: typing.Any = None
) -> typing.List[typing.Any]:
    """Start a pipeline's members; what the last one prints goes to ``target``, by default nowhere."""
    members = []  # type: typing.List[typing.Any]
    for position, (command, said) in enumerate(zip(commands, errors)):
        last = position == len(commands) - 1
        out = (subprocess.DEVNULL if target is None else target) if last else subprocess.PIPE
        member = subprocess.Popen(command, stdin=source, stdout=out, stderr=said, env=CLEAN_ENVIRONMENT, close_fds=True)
        if position:
            source.close()
        source = member.stdout
        members.append(member)
    return members


def output(command: typing.Sequence[str], timeout: float = 60) -> str:
    """What one program prints, when it ends well; otherwise what it complained of. For programs whose words are judged."""
    with tempfile.TemporaryFile() as said:
        ended = run([command], stdout=said, timeout=timeout)[0]
        said.seek(0)
        return said.read().decode("utf-8", "replace") or ended.words


def pump(
    commands: Commands, sinks: Commands, timeout: float = 3600, watch: typing.Optional[Watch] = None
) -> typing.Tuple[typing.List[Ended], int, str, str]:
    """Run the pipeline ``commands`` into the pipeline ``sinks``, hashing what passes between the two.

    Returns (list of Ended for all members, bytes passed, sha256, what the last one printed). The hash is of exactly the
    bytes handed over, so that the far end's own hash proves the way between.

    :param watch: called in a thread of its own with two functions on the first member's stderr: one reads on in it (empty:
        the end), the other says whether there is something to read. The member waits for it: it can say one thing more
        than what was read, and does nothing that comes after.
    """
    said = [tempfile.TemporaryFile() for _ in (*commands, *sinks)]  # type: typing.List[typing.Any]
    answer = tempfile.TemporaryFile()
    ear, mouth = _one_at_a_time() if watch else (None, said[0])
    members = _start(commands, subprocess.DEVNULL, [mouth] + said[1 : len(commands)], subprocess.PIPE)
    if watch:
        mouth.close()
    far = _start(sinks, subprocess.PIPE, said[len(commands) :], answer)
    watchdog = threading.Timer(timeout, _kill, (members + far,))
    watchdog.daemon = True
    watchdog.start()
    watcher = threading.Thread(target=_tee, args=(ear, said[0], watch))
    if watch:
        watcher.start()
    passed, digest = _pass_on(members[-1].stdout, far[0].stdin)
    if watch:
        watcher.join()
    ended = _reap([*commands, *sinks], members + far, said, timeout)
    watchdog.cancel()
    answer.seek(0)
    return ended, passed, digest, answer.read().decode("utf-8", "replace")


def _one_at_a_time() -> typing.Tuple[typing.Any, typing.Any]:
    """A pipe that holds a single message: who writes a second one waits until the first was read.

    A pipe in packet mode keeps every write in a page of its own, and this one has one page (pipe(7), Linux 3.4).
    """
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_DIRECT)
    fcntl.fcntl(writing, F_SETPIPE_SZ, 1)
    return os.fdopen(reading, "rb", 0), os.fdopen(writing, "wb", 0)


def _tee(source: typing.Any, kept: typing.Any, watch: Watch) -> None:
    """Show what a member says to ``watch`` as it says it, and keep it. A watcher that fails must not stop the flow."""

    def read() -> bytes:
        block = os.read(source.fileno(), CHUNK)
        kept.write(block)
        kept.flush()
        return block

    def ready() -> bool:
        return bool(select.select([source], [], [], 0)[0])

    try:
        watch(read, ready)
    finally:
        while read():
            pass
        source.close()


def _kill(members: typing.Iterable[typing.Any]) -> None:
    for member in members:
        member.kill()


def _pass_on(source: typing.Any, sink: typing.Any) -> typing.Tuple[int, str]:
    """Copy until the end or until the sink goes away; the sink's end tells why it went."""
    digest, passed = hashlib.sha256(), 0
    try:
        while True:
            block = source.read(CHUNK)
            if not block:
                break
            sink.write(block)
            digest.update(block)
            passed += len(block)
        sink.flush()
    except BrokenPipeError:
        pass
    source.close()
    try:
        sink.close()
    except BrokenPipeError:
        pass
    return passed, digest.hexdigest()


def _reap(
    commands: Commands, members: typing.List[typing.Any], words: typing.List[typing.Any], timeout: float
) -> typing.List[Ended]:
    deadline = time.monotonic() + timeout
    ended = []
    for command, member, said in zip(commands, members, words):
        try:
            member.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            member.kill()
            member.wait()
        said.seek(0, os.SEEK_END)
        said.seek(max(0, said.tell() - 4000))
        ended.append(Ended(os.path.basename(command[0]), member.returncode, said.read().decode("utf-8", "replace")))
        said.close()
    return ended
