"""Processes by identity: a pid alone may have been given to somebody else, so the start time goes with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import LabError

PROC = Path("/proc")
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Identity:
    """A process as it was when it was recorded; `started` is in clock ticks since the machine booted."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """Still the same process, and not merely waiting to be reaped."""
        return identify(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Signals this process only; one that has gone is no error."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def boot_id() -> str:
    """Changes with every boot of the machine."""
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identify(pid: int) -> Identity | None:
    """The process that has this pid now, or None when there is none (a zombie counts as none)."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name may hold blanks and brackets: the fields begin after its last bracket.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]), boot_id())


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    try:
        text = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


def inner_pids(pid: int) -> list[int]:
    """A process's numbers, from this namespace inwards; none when it has gone."""
    return [int(word) for word in _status(pid, "NSpid")]


def parent(pid: int) -> int:
    """Its parent's number; 0 when it has gone."""
    return int(next(iter(_status(pid, "PPid")), 0))


def _status(pid: int, name: str) -> list[str]:
    try:
        status = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    line = next((one for one in status.splitlines() if one.startswith(f"{name}:")), "")
    return line.split()[1:]


def is_init_of_a_namespace(pid: int) -> bool:
    """True for the first process of a process namespace below this one."""
    pids = inner_pids(pid)
    return len(pids) > 1 and pids[-1] == 1


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, last_seen: Callable[[], str] | None = None
) -> None:
    """Waits for a condition; a deadline that passes says what was awaited and what was last seen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            seen = f"; last seen: {last_seen()}" if last_seen else ""
            raise LabError(f"Waited {seconds:.0f} s in vain for {what}{seen}.")
        time.sleep(POLL_SECONDS)
