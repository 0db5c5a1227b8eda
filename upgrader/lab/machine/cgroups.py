"""Where the lab's processes are counted: one cgroup per node, so that none is ever lost, whatever was not written down."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from upgrader.lab.machine.process import identify, wait_until

# systemd's own hierarchy of cgroup version 1, the unified one beside it, and version 2 alone.
ROOT = Path("/sys/fs/cgroup")
OF_SYSTEMD = (ROOT / "systemd", ROOT / "unified", ROOT)
SELF = Path("/proc/self/cgroup")
KILL_SECONDS = 10


def controllers() -> list[Path]:
    """Where this process is in each of version 1's controllers: libvirt puts its containers below the node's place there."""
    lines = (line.split(":", 2) for line in SELF.read_text(encoding="ascii").splitlines())
    found = [ROOT / names / place.lstrip("/") for _, names, place in lines if names and "=" not in names]
    return [path for path in found if (path / "cgroup.procs").exists()]


def hierarchies() -> list[Path]:
    """Wherever a node may have processes, or a place for some."""
    return [*OF_SYSTEMD, *controllers()]


def make_places(cgroup: str) -> list[Path]:
    """A place for a node in every controller; processors and memory of a cpuset are given from above, level by level."""
    places = []
    for controller in controllers():
        place = controller
        for part in cgroup.split("/"):
            place = place / part
            place.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (place / name).exists():
                    (place / name).write_text((place.parent / name).read_text(encoding="ascii"), encoding="ascii")
        places.append(place)
    return places


def folders(cgroup: str) -> list[Path]:
    """The cgroup and all below it, deepest first, in every hierarchy that has it."""
    found: list[Path] = []
    for hierarchy in hierarchies():
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
    for hierarchy in hierarchies():
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
