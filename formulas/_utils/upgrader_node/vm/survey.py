"""Looks at a domain and its disks, and at the folders in which something will be kept. Changes nothing."""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import copying, definition, finding, images
from upgrader_node.vm.hypervisor import Hypervisor, Standing

RENAME, REFLINK, COPY, LIVE = MODES = ("rename", "reflink", "copy", "live")


class Room(typing.NamedTuple):
    """A folder in which disks are kept: bytes free for root, whether it can be written, whether blocks can be shared."""

    free: int
    fault: str = ""
    reflinks: bool = True


class Facts(typing.NamedTuple):
    """What is known of one domain. ``images`` by path; ``broken`` says of a path why it is none; ``users`` of a path who else
    needs it."""

    uri: str
    defined: definition.Definition
    standing: Standing
    snapshots: typing.Tuple[str, ...]
    images: typing.Dict[str, images.Image]
    broken: typing.Dict[str, str]
    users: typing.Dict[str, typing.List[str]]


Users = typing.Dict[str, typing.List[str]]


def survey(hypervisor: Hypervisor, name: str, users: Users) -> Facts:
    """One domain; ``users`` as ``uses`` answered it."""
    defined = definition.read(hypervisor.xml(name))
    found, broken = {}, {}
    for disk in defined.files:
        try:
            found[disk.source] = images.look(disk.source, disk.format)
        except StepError as error:
            broken[disk.source] = str(error)
    others = {disk.source: [one for one in users.get(disk.source, []) if one != name] for disk in defined.disks}
    return Facts(hypervisor.uri, defined, hypervisor.standing(name), hypervisor.snapshots(name), found, broken, others)


def uses(here: finding.Host) -> Users:
    """Which domains of this node need a file: as a disk, or as an image that a disk stands on.

    An image that cannot be read is its own domain's finding, not everybody's.
    """
    found = {}  # type: Users
    for hypervisor, names in finding.names(here)[0]:
        for name in names:
            for path in _files(definition.read(hypervisor.xml(name))):
                found.setdefault(path, []).append(name)
    return found


def _files(defined: definition.Definition) -> typing.Set[str]:
    paths = {disk.source for disk in defined.disks if disk.kind == "file" and disk.source}
    for disk in defined.files:
        try:
            paths.update(images.look(disk.source, disk.format).below)
        except StepError:
            continue
    return paths


def room(folder: str, mode: str) -> Room:
    """A folder as it is now."""
    try:
        seen = os.statvfs(folder)
    except OSError as error:
        return Room(0, error.strerror or str(error))
    fault = "is mounted read-only" if seen.f_flag & os.ST_RDONLY else ""
    if not fault and not seen.f_favail and seen.f_files:
        fault = "has no inode left"
    return Room(seen.f_bavail * seen.f_frsize, fault, mode != REFLINK or (not fault and copying.can_reflink(folder)))
