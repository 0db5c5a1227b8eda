"""Who holds a cloud's lock, as the holder wrote it into the lock's file. Reading it takes no lock, so asking keeps nobody out."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

ENDED = ("Z", "X", "x")
"""States of a process that has ended and waits for its parent to ask: it holds no lock any more."""


@dataclass(frozen=True)
class Owner:
    """``born`` is when the process began, in the kernel's ticks since boot: a number is given to a new process one day."""

    pid: int
    operator: str
    born: str

    def __str__(self) -> str:
        return f"process {self.pid} of {self.operator}"

    def to_json(self) -> str:
        """As it stands in the lock's file."""
        return json.dumps(asdict(self))

    def lives(self) -> bool:
        """Whether that very process is still there. One that was killed leaves its record behind, but not its lock."""
        return self.born == _born(self.pid)


def this_process(operator: str) -> Owner:
    """The owner that this process is."""
    return Owner(os.getpid(), operator, _born(os.getpid()))


def read_owner(path: Path) -> Owner | None:
    """Whoever wrote the file last, or None when nobody holds it: the record goes with the lock."""
    try:
        record = json.loads(path.read_text())
        return Owner(int(record["pid"]), str(record["operator"]), str(record.get("born", "")))
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None


def _born(pid: int) -> str:
    """proc(5), /proc/pid/stat: field 22. The name, field 2, may hold anything, so fields are counted from its closing bracket."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] in ENDED else fields[19]
