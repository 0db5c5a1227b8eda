"""Runs nova-manage and knows its words; nothing outside this file does.

nova-manage writes errors and whole tracebacks to stdout, warns on stderr when all is well, and exits 0 after several
kinds of failure (facts/nova.md section 4). So a command's result is its exit code, both outputs and, judged elsewhere,
what the database says afterwards.
"""

import os
import re
import signal
import subprocess
import time
import typing

import upgrader_database

# Runs the real nova-manage with arguments that come on stdin: what holds a password must not stand in /proc/*/cmdline.
ARGUMENTS_FROM_STDIN = "import json, sys; sys.argv = [str(word) for word in json.load(sys.stdin)]; from nova.cmd.manage import main; sys.exit(main())"
CRASH = "An error has occurred:"
CELL0_UNREACHABLE = "ERROR: Could not access cell0."
CELL0_THERE = "Cell0 is already setup"
CELL_THERE = "Cell with the specified transport_url and database_connection combination already exists"
NO_CELL0_YET = "WARNING: cell0 mapping not found - not syncing cell0."
TIMED_OUT = -1
_FAILED_MIGRATION = re.compile(r"Error attempting to run <function (\w+) at ")
_MATCHED = re.compile(r"^(\d+) rows matched query (\w+), (\d+) migrated", re.MULTILINE)
_TABLE_ROW = re.compile(r"^\|\s*(\w+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*$", re.MULTILINE)
_EXCEPTION = re.compile(
    r"^(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|NotFound|Exists|Invalid\w*|Failed|Entry)\w*)(?:: .*)?$"
)


class Outcome(typing.NamedTuple):
    """One finished nova-manage. ``command`` is what an operator would type, passwords hidden; so are the outputs."""

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float


class Migrated(typing.NamedTuple):
    """One line of the table that online_data_migrations prints."""

    name: str
    matched: int
    done: int


def clean_environment() -> typing.Dict[str, str]:
    """What nova-manage needs and nothing of ours: no OS_* credentials, no PYTHONPATH of Salt's own Python."""
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": "/var/lib/nova",
        "PYTHONUNBUFFERED": "1",
    }


def run(
    argv: typing.Sequence[str],
    timeout: float,
    stdin: str = "",
    shown: str = "",
    secrets: typing.Iterable[str] = (),
    keep_open: typing.Sequence[int] = (),
) -> Outcome:
    """Run one command to its end, or kill its whole process group after ``timeout`` seconds (exit code ``TIMED_OUT``).

    ``keep_open`` are descriptors that the child inherits: a lock on one of them lives as long as the command does,
    even when we are killed. After a timeout the server may still carry out a statement of the killed client.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        cwd="/",
        start_new_session=True,
        pass_fds=tuple(keep_open),
    )
    try:
        out, err = process.communicate(stdin.encode("utf-8"), timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = TIMED_OUT
    texts = [upgrader_database.redact(stream.decode("utf-8", "replace"), secrets) for stream in (out, err)]
    return Outcome(shown or " ".join(argv), code, texts[0], texts[1], time.monotonic() - started)


def interpreter(script: str, first_line: str) -> str:
    """The Python that runs ``script``: a virtualenv's or the distribution's, as its first line says."""
    words = first_line.strip()[2:].split() if first_line.startswith("#!") else []
    if not words:
        raise ValueError("{0} does not start with #!, so its Python is not known".format(script))
    return words[1] if os.path.basename(words[0]) == "env" and len(words) > 1 else words[0]


def crash(outcome: Outcome) -> str:
    """The last line of the exception that ended the command, or "" when none did."""
    if CRASH not in outcome.stdout and "Traceback (most recent call last)" not in outcome.stdout + outcome.stderr:
        return ""
    text = outcome.stdout if CRASH in outcome.stdout or "Traceback" in outcome.stdout else outcome.stderr
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines or [CRASH])[-1]


def cell0_error(outcome: Outcome) -> str:
    """Why cell0 was not synced (nova swallows it and exits 0), or ""."""
    if CELL0_UNREACHABLE not in outcome.stdout:
        return ""
    reasons = [line[len("Error: ") :] for line in outcome.stdout.splitlines() if line.startswith("Error: ")]
    return reasons[0] if reasons else CELL0_UNREACHABLE


def failed_migrations(outcome: Outcome) -> typing.List[str]:
    """Online migrations that raised. Nova prints their name, counts them as 0 of 0, logs the exception nowhere and exits 0."""
    return sorted(set(_FAILED_MIGRATION.findall(outcome.stdout)))


def migrated(outcome: Outcome) -> typing.List[Migrated]:
    """The summary table; when the command died before printing it, the lines of each batch summed up."""
    found = [Migrated(name, int(matched), int(done)) for name, matched, done in _TABLE_ROW.findall(outcome.stdout)]
    if found:
        return found
    sums = {}  # type: typing.Dict[str, Migrated]
    for matched, name, done in _MATCHED.findall(outcome.stdout):
        before = sums.get(name, Migrated(name, 0, 0))
        sums[name] = Migrated(name, before.matched + int(matched), before.done + int(done))
    return [sums[name] for name in sorted(sums)]


def last_words(outcome: Outcome) -> str:
    """The crash, else the last line of output that is not a warning of Python or SQLAlchemy: for failure sentences."""
    found = crash(outcome)
    if found:
        return found
    for text in (outcome.stdout, outcome.stderr):
        lines = [line.strip() for line in text.splitlines() if line.strip() and "Warning" not in line]
        if lines:
            return lines[-1]
    return "it printed nothing"
