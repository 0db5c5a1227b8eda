"""The lab's own network namespace with one bridge in it: nothing of the lab touches the host's network."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import LabError
from upgrader.lab.topology import BRIDGE, GATEWAY, PREFIX

NAMESPACES = Path("/run/netns")


@dataclass(frozen=True)
class LabNetwork:
    """A named network namespace."""

    namespace: str

    @property
    def path(self) -> Path:
        return NAMESPACES / self.namespace

    def exists(self) -> bool:
        return self.namespace in _names() and _is_namespace(self.path)

    def create(self) -> None:
        """Makes the namespace and its bridge; one that is there already is left as it is."""
        if self.exists():
            return
        self.remove()
        _ip("netns", "add", self.namespace)
        _ip("-n", self.namespace, "link", "set", "lo", "up")
        _ip("-n", self.namespace, "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        _ip("-n", self.namespace, "addr", "add", f"{GATEWAY}/{PREFIX}", "dev", BRIDGE)
        _ip("-n", self.namespace, "link", "set", BRIDGE, "up")

    def remove(self) -> None:
        """Takes the namespace away, and the mount that `ip netns` made for the first one when this was the last."""
        if self.namespace in _names():
            _ip("netns", "delete", self.namespace)
        if not _names():
            for _ in range(_mounts_on(NAMESPACES)):
                subprocess.run(["umount", str(NAMESPACES)], check=True, capture_output=True)


def _names() -> list[str]:
    return [path.name for path in NAMESPACES.iterdir()] if NAMESPACES.is_dir() else []


def _is_namespace(path: Path) -> bool:
    return _mounts_on(path) > 0


def _mounts_on(path: Path) -> int:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return sum(1 for line in mounts if line.split()[4] == str(path))


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"`ip {' '.join(words)}` failed: {done.stderr.strip()}")
