"""Runs the services' own tools (nova-manage and its like) and reads what they have in common.

They write errors and whole tracebacks to stdout, warn on stderr when all is well, and exit 0 after several kinds of
failure (docs/traps.md). So a command's result is its exit code, both outputs and, judged elsewhere, what the database
says afterwards.

What a tool said is judged as it was said: a database password ``run`` or ``flavors`` stands in the tools' own words, and
what has been made ``***`` can be recognised by nobody. Passwords are hidden in what leaves this place to be read.
"""

import os
import pwd
import re
import signal
import subprocess
import tempfile
import time
import typing

from upgrader_node.database import sql
from upgrader_node.errors import TRACE, StepError

CRASH = "An error has occurred:"
TIMED_OUT = -1
_EXCEPTION = re.compile(
    r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|NotFound|Exists|Invalid\w*|Failed|Entry)\w*)(?:: .*)?$"
)

# What oslo.log puts before each line, of a traceback as well; after it, at least, comes what was said.
_LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \d+ [A-Z]+ [\w.]+ ?(\[[^\]]*\])? ?")


class Outcome(typing.NamedTuple):
    """One finished command. ``command`` is what an operator would type.

    Both outputs are as the tool wrote them, with whatever ``secrets`` stand in them: they are to be judged, and only what
    ``shown`` makes of a piece of them may be told. ``repr`` shows neither.
    """

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    secrets: typing.Tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Outcome({0!r}, {1}, {2:.1f} s)".format(self.command, self.exit_code, self.seconds)

    def shown(self, text: str) -> str:
        """A piece of the output as it may be read by anybody."""
        return sql.redact(text, self.secrets)


class Account(typing.NamedTuple):
    """The system user that a service runs as; its tool's files and logs must be that user's, not root's."""

    name: str
    uid: int
    gid: int
    groups: typing.Tuple[int, ...]
    home: str

    def become(self) -> None:
        """In the child, before it becomes the tool. Only plain system calls: other threads are gone half way."""
        os.setgroups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)


def account(name: str) -> Account:
    """The system user ``name``. Raises ValueError when this node has none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ValueError("there is no system user {0} on this node".format(name)) from None
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return Account(name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)


def clean_environment(home: str) -> typing.Dict[str, str]:
    """What such a tool needs and nothing of ours: no OS_* credentials, no PYTHONPATH of Salt's own Python."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": home,
        "PYTHONUNBUFFERED": "1",
        # Tools that run on eventlet: its own resolver asks a name server for what /etc/hosts answers, and waits for it.
        "EVENTLET_NO_GREENDNS": "yes",
    }


def run(
    argv: typing.Sequence[str],
    timeout: float,
    stdin: str = "",
    shown: str = "",
    secrets: typing.Iterable[str] = (),
    keep_open: typing.Sequence[int] = (),
    home: str = "/",
    user: typing.Optional[Account] = None,
) -> Outcome:
    """Run one command to its end, or kill its whole process group after ``timeout`` seconds (exit code ``TIMED_OUT``).

    ``keep_open`` are descriptors that the child inherits: a lock on one of them lives as long as the command does,
    even when we are killed. Its output goes to files without a name, so that it can also talk on without us. After a
    timeout the server may still carry out a statement of the killed client. ``user`` is who it runs as (else who we are).
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=clean_environment(user.home if user else home),
            cwd="/",
            start_new_session=True,
            pass_fds=tuple(keep_open),
            preexec_fn=user.become if user else None,
        )
        try:
            process.communicate(stdin.encode("utf-8"), timeout=timeout)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            code = TIMED_OUT
        stdout, stderr = text(out), text(err)
    return Outcome(shown or " ".join(argv), code, stdout, stderr, time.monotonic() - started, tuple(secrets))


def text(stream: typing.IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def interpreter(script: str, first_line: str) -> str:
    """The Python that runs ``script``: a virtualenv's or the distribution's, as its first line says."""
    words = first_line.strip()[2:].split() if first_line.startswith("#!") else []
    if not words:
        raise ValueError("{0} does not start with #!, so its Python is not known".format(script))
    return words[1] if os.path.basename(words[0]) == "env" and len(words) > 1 else words[0]


def program(role: typing.Mapping[str, typing.Any], name: str, key: str) -> typing.Tuple[str, str]:
    """The tool ``name`` of this node and the Python that runs it, from the venv that pillar ``key`` names or a package."""
    folder = os.path.join(role["venv"], "bin") if role.get("engine") == "venv" else "/usr/bin"
    script = os.path.join(folder, name)
    try:
        with open(script, encoding="utf-8") as opened:
            return script, interpreter(script, opened.readline())
    except (OSError, ValueError) as error:
        raise StepError(
            "{0} cannot be used: {1}; install Ocata's {2} or correct {3}:venv".format(
                name, error, key.split(":")[0], key
            )
        ) from None


def crashed(outcome: Outcome) -> bool:
    """Whether an exception ended the command, whatever its exit code."""
    return CRASH in outcome.stdout or TRACE in outcome.stdout + outcome.stderr


def exception_line(outcome: Outcome) -> str:
    """The last line of the exception that ended the command, or "" when none did. Unredacted: to be judged, not shown."""
    if not crashed(outcome):
        return ""
    text = outcome.stdout if CRASH in outcome.stdout or "Traceback" in outcome.stdout else outcome.stderr
    lines = _said(text)
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines or [CRASH])[-1]


def _said(text: str) -> typing.List[str]:
    """The lines that say something, without the log's prefix."""
    lines = [_LOG_PREFIX.sub("", line).strip() for line in text.splitlines()]
    return [line for line in lines if line]


def last_line(outcome: Outcome) -> str:
    """The crash, else the last line of output that is not a warning of Python or SQLAlchemy. Unredacted: to be judged."""
    crash = exception_line(outcome)
    if crash:
        return crash
    for text in (outcome.stdout, outcome.stderr):
        lines = [line for line in _said(text) if "Warning" not in line]
        if lines:
            return lines[-1]
    return "it printed nothing"


def last_words(outcome: Outcome) -> str:
    """``last_line`` with passwords hidden: for the sentences of failures."""
    return outcome.shown(last_line(outcome))
