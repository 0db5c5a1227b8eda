"""How a node stands: its clock, its room, its versions. Reads only; what it means is judged where all nodes' answers are."""

import os
import platform
import shutil
import typing
from datetime import datetime, timezone

from upgrader_node.host import pipeline

Answer = typing.Dict[str, typing.Any]
FOLDERS = (
    "/",
    "/var",
    "/var/log",
    "/var/lib/mysql",
    "/var/lib/libvirt/images",
    "/var/lib/nova",
    "/var/cache/apt",
    "/tmp",
)
"""Looked at where they are folders; of several on one file system the first one counts."""
PACKAGES = (
    "libvirt-bin",
    "libvirt-daemon",
    "qemu-kvm",
    "qemu-system-x86",
    "openvswitch-switch",
    "rabbitmq-server",
    "haproxy",
    "neutron-plugin-contrail",
)
SECONDS = 30.0


def facts(folders: typing.Sequence[str] = FOLDERS) -> Answer:
    """``time`` in seconds since 1970 as this node's clock says it, ``room`` of each file system, ``packages`` of those that matter."""
    return {
        "time": datetime.now(timezone.utc).timestamp(),
        "python": platform.python_version(),
        "system": _system(),
        "room": room(folders),
        "packages": packages(),
    }


def room(folders: typing.Sequence[str]) -> typing.List[Answer]:
    """Bytes and inodes that are free as df tells it, without what is reserved; each file system once."""
    found = {}  # type: typing.Dict[int, Answer]
    for folder in folders:
        try:
            device, held = os.stat(folder).st_dev, os.statvfs(folder)
        except OSError:
            continue
        found.setdefault(
            device,
            {
                "folder": folder,
                "total": held.f_frsize * held.f_blocks,
                "free": held.f_frsize * held.f_bavail,
                "inodes": held.f_files,
                "inodes_free": held.f_favail,
            },
        )
    return list(found.values())


def packages(names: typing.Sequence[str] = PACKAGES) -> typing.Dict[str, str]:
    """The versions of those that are installed whole; nothing where there is no dpkg."""
    if not shutil.which("dpkg-query"):
        return {}
    # It ends with 1 when a pattern fits nothing, which is the usual case; what fits is told all the same.
    shown = "${db:Status-Status}\t${Package}\t${Version}\n"
    text = pipeline.output(["dpkg-query", "--show", "--showformat=" + shown, *(name + "*" for name in names)], SECONDS)
    return parse(text, names)


def parse(text: str, names: typing.Sequence[str]) -> typing.Dict[str, str]:
    """Lines of state, name and version."""
    lines = [line.split("\t") for line in text.splitlines()]
    return {line[1]: line[2] for line in lines if len(line) == 3 and line[0] == "installed" and line[1] in names}


def _system() -> str:
    """``Ubuntu 16.04``, as /etc/os-release has it."""
    try:
        with open("/etc/os-release", encoding="utf-8") as opened:
            said = dict(line.rstrip("\n").split("=", 1) for line in opened if "=" in line)
    except OSError:
        return platform.system()
    return " ".join(said.get(key, "").strip("\"'") for key in ("NAME", "VERSION_ID")).strip()
