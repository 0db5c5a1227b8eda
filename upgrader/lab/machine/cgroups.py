"""Where the lab's processes are counted: one cgroup per node, so that none is ever lost, whatever was not written down."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from upgrader.lab.machine.process import identify, wait_until

# systemd's own hierarchy of cgroup version 1, the unified one beside it, and version 2 alone.
HIERARCHIES = (Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
KILL_SECONDS = 10


def folders(cgroup: str) -> list[Path]:
    """The cgroup and all below it, deepest first, in every hierarchy that has it."""
    found: list[Path] = []
    for hierarchy in HIERARCHIES:
        for folder, _, _ in os.walk(hierarchy / cgroup, topdown=False):
            found.append(Path(folder))
    return found


def processes(cgroup: str) -> set[int]:
    """Every process of the lab or the node, as the host numbers them."""
    pids: set[int] = set()
    for folder in folders(cgroup):
        try:
            pids.update(int(word) for word in (folder / "cgroup.procs").read_text(encoding="ascii").split())
        except (FileNotFoundError, OSError):
            continue
    return {pid for pid in pids if pid > 0 and identify(pid) is not None}


def kill_all(cgroup: str) -> int:
    """Kills whatever is left of a node or a lab and says how many processes that were."""
    count = len(processes(cgroup))

    def gone() -> bool:
        left = processes(cgroup)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not left

    wait_until(gone, KILL_SECONDS, f"the processes of {cgroup} to die", lambda: f"pids {sorted(processes(cgroup))}")
    return count


def remove(cgroup: str) -> None:
    """Takes the cgroup itself away, and its parent when this was the last lab."""
    for folder in folders(cgroup):
        wait_until(lambda folder=folder: _gone(folder), KILL_SECONDS, f"cgroup {folder} to become empty")  # type: ignore[misc]
    for hierarchy in HIERARCHIES:
        parent = (hierarchy / cgroup).parent
        if parent.is_dir() and parent != hierarchy and not any(path.is_dir() for path in parent.iterdir()):
            parent.rmdir()


def _gone(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        # Busy for a moment after its last process has died.
        return False
    return True
