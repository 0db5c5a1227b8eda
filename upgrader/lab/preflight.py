"""Whether this machine can carry the lab: every refusal is one sentence with its remedy, before anything is started."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from upgrader.errors import LabRefused

# Command -> the Debian package that brings it.
COMMANDS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "mkfs.ext4": "e2fsprogs",
    "zstd": "zstd",
    "xz": "xz-utils",
    "gzip": "gzip",
}
BUILD_COMMANDS = {"debootstrap": "debootstrap", "chroot": "coreutils"}
# What the nodes of a fresh lab write besides their images: the databases, a backup, its proof and the copies.
NODE_MEGABYTES = 1500
REACH_SECONDS = 10


@dataclass(frozen=True)
class Machine:
    """What was found on this machine, as plain facts."""

    uid: int = 0
    commands: frozenset[str] = frozenset()
    overlay: bool = True
    free_megabytes: dict[str, int] = field(default_factory=dict)
    unreachable: str = ""


def judge(
    machine: Machine, *, build_megabytes: int, cache: Path, state: Path, node_megabytes: int = NODE_MEGABYTES
) -> None:
    """Raises the first reason why the lab cannot start here; `build_megabytes` is 0 when all images are cached."""
    if machine.uid != 0:
        raise LabRefused("The lab needs root for its namespaces and mounts; run `sudo upgrader lab up`.")
    needed = COMMANDS | (BUILD_COMMANDS if build_megabytes else {})
    absent = sorted({package for command, package in needed.items() if command not in machine.commands})
    if absent:
        raise LabRefused(f"The lab needs commands that are not installed; run `apt-get install -y {' '.join(absent)}`.")
    if not machine.overlay:
        raise LabRefused("The kernel has no overlayfs, which the lab's disks are made of; run `modprobe overlay`.")
    for place, megabytes, variable in (
        (cache, build_megabytes, "UPGRADER_LAB_CACHE"),
        (state, node_megabytes, "UPGRADER_LAB_STATE"),
    ):
        free = machine.free_megabytes.get(str(place))
        if free is not None and free < megabytes:
            raise LabRefused(
                f"The lab needs {megabytes} MB below {place}, where {free} MB are free; make room there, or set {variable} "
                "to a directory on a larger disk."
            )
    if build_megabytes and machine.unreachable:
        raise LabRefused(
            f"The lab's images have to be built first, and the Debian mirror cannot be reached: {machine.unreachable}; "
            "connect this machine, configure its proxy in apt, or name another mirror with --mirror."
        )


def look(cache: Path, state: Path, mirror: str = "", proxies: Sequence[str] = ()) -> Machine:
    """The facts of this machine. With a proxy, the proxy is what has to be reachable."""
    return Machine(
        uid=os.geteuid(),
        commands=frozenset(name for name in (*COMMANDS, *BUILD_COMMANDS) if shutil.which(name, path=_search_path())),
        overlay=_has_overlay(),
        free_megabytes={str(place): _free_megabytes(place) for place in (cache, state)},
        unreachable=_unreachable(proxies[0] if proxies else mirror) if mirror else "",
    )


def _search_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _has_overlay() -> bool:
    """Listed once the module is loaded; a kernel with the module on disk loads it at the first mount."""
    listed = "overlay" in Path("/proc/filesystems").read_text(encoding="ascii").split()
    modules = Path("/lib/modules") / os.uname().release
    return listed or any(modules.glob("kernel/fs/overlayfs/overlay.ko*"))


def _free_megabytes(place: Path) -> int:
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free // 1_000_000


def _unreachable(url: str) -> str:
    """Why the server of a URL cannot be reached, or nothing."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_SECONDS).close()
    except OSError as reason:
        return f"{parts.hostname} port {port}: {reason.strerror or reason}"
    return ""
