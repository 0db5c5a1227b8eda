"""Limits of the machine's kernel that all nodes of all labs share."""

from __future__ import annotations

from pathlib import Path

INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
# systemd, journald and dbus of one node take five; the kernel's default of 128 is used up by 25 nodes, and then units fail by chance.
WANTED = 1024


def raised(path: Path = INSTANCES) -> int:
    """Raises how many inotify instances root may have where it is less; what it was then, else 0. A kernel that has none is left."""
    try:
        held = int(path.read_text(encoding="ascii"))
        if held < WANTED:
            path.write_text(f"{WANTED}\n", encoding="ascii")
            return held
    except (OSError, ValueError):
        return 0
    return 0
