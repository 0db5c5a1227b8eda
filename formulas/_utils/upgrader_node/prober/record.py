"""What a prober writes down: one line of JSON for each change of a target, and a heartbeat. Appended, readable by root only.

A line says what it is (``kind``), when by the clock on the wall (``wall``) and when by one that nobody sets (``mono``): durations
are told by the second, dates by the first.
"""

import json
import os
import threading
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records

FOLDER = "/var/lib/upgrader/prober"
BEAT = 10.0
BEGUN, CHANGE, BEATS, ENDED = "begun", "change", "beat", "ended"
STOPPED = "it was told to stop"
Line = typing.Dict[str, typing.Any]


class Moment(typing.NamedTuple):
    """The same instant on two clocks, in seconds."""

    wall: float
    mono: float


class Files(typing.NamedTuple):
    """The files of one run: what is to be watched, what was seen, and the one that ends it."""

    order: str
    seen: str
    stop: str


def now() -> Moment:
    """This instant."""
    return Moment(time.time(), time.monotonic())


def files_of(run: str, folder: str = FOLDER) -> Files:
    """Where a run's files are. Raises StepError for a run that is no plain name."""
    whole = os.path.join(folder, records.plain(str(run)))
    return Files(whole + ".order.json", whole + ".jsonl", whole + ".stop")


def read(path: str) -> typing.List[Line]:
    """All whole lines, oldest first; one that a crash cut is left out. Raises StepError when there is no file."""
    try:
        with open(path, "rb") as file:
            lines = [_line(text) for text in file.read().split(b"\n")]
    except FileNotFoundError:
        raise StepError("no prober was started on this node for that run ({} is not there)".format(path)) from None
    return [line for line in lines if line]


def lives(lines: typing.Iterable[Line]) -> typing.List[typing.List[Line]]:
    """The lines by the life of the program that wrote them: each begins with one that says so."""
    found = []  # type: typing.List[typing.List[Line]]
    for line in lines:
        if line["kind"] == BEGUN:
            found.append([])
        if found:
            found[-1].append(line)
    return found


def _line(text: bytes) -> Line:
    try:
        line = json.loads(text.decode("utf-8"))
        return line if isinstance(line, dict) and {"kind", "wall", "mono"} <= set(line) else {}
    except ValueError:
        return {}


class Log:
    """Lines on their way to the disk. One that has no room waits here, so that a full disk costs no change and leaves no half line."""

    def __init__(self, path: str) -> None:
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self.descriptor = os.open(path, flags, 0o600)
        self.guard = threading.Lock()
        self.waiting = b"" if _ends_whole(self.descriptor) else b"\n"

    def add(self, kind: str, moment: Moment, **more: typing.Any) -> None:
        """One line more; written by the next ``flush``."""
        text = json.dumps(dict(more, kind=kind, wall=round(moment.wall, 3), mono=round(moment.mono, 3)), sort_keys=True)
        with self.guard:
            self.waiting += text.encode("utf-8") + b"\n"

    def flush(self) -> bool:
        """Write what waits, as far as there is room; whether nothing waits any more."""
        with self.guard:
            try:
                self.waiting = self.waiting[os.write(self.descriptor, self.waiting) :] if self.waiting else b""
            except OSError:
                return False
            return not self.waiting


def _ends_whole(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
