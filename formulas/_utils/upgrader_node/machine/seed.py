"""A machine's identity written into the file system of its clean disk, from outside: for a container's root."""

import contextlib
import hashlib
import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.machine.identity import Text
from upgrader_node.vm import commands

MOUNTS = "/run/upgrader/seed"
EXT_MAGIC, EXT_MAGIC_AT = b"\x53\xef", 0x438
# What a base image may have of another machine; systemd makes a new machine-id where the file is empty.
EMPTY = "etc/machine-id"
HOST_KEYS = ["etc/ssh/ssh_host_{}_key".format(kind) for kind in ("rsa", "ecdsa", "dsa", "ed25519")]
FOREIGN = ["var/lib/dbus/machine-id", *HOST_KEYS, *(path + ".pub" for path in HOST_KEYS)]


def is_filesystem(path: str) -> bool:
    """Whether the file is one ext file system, without a partition table."""
    with open(path, "rb") as file:
        file.seek(EXT_MAGIC_AT)
        return file.read(2) == EXT_MAGIC


def sow(disk: str, texts: typing.Sequence[Text]) -> None:
    """Write files into a disk that nobody uses, and take away what is another machine's. Raises StepError."""
    with mounted(disk) as root:
        for path in FOREIGN:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_below(root, path))
        for one in [Text(EMPTY, ""), *texts]:
            _put(root, one)


@contextlib.contextmanager
def mounted(disk: str) -> typing.Iterator[str]:
    """A disk's file system in a folder that is gone afterwards; on the disk when this ends."""
    folder = os.path.join(MOUNTS, hashlib.sha256(disk.encode()).hexdigest()[:16])
    os.makedirs(folder, mode=0o700, exist_ok=True)
    # Of a call that was killed between mount and umount; what it wrote to is made anew.
    while os.path.ismount(folder):
        commands.must(["umount", folder], "what a killed call left mounted stays")
    try:
        options = "loop,nodev,nosuid,noexec"
        commands.must(["mount", "-t", "ext4", "-o", options, disk, folder], "{} cannot be mounted".format(disk))
        try:
            yield folder
        finally:
            commands.must(["umount", folder], "{} cannot be unmounted from {}".format(disk, folder))
    finally:
        os.rmdir(folder)


def _put(root: str, file: Text) -> None:
    """A file of the new machine, never through a link of its image: that could lead out of it."""
    target = _below(root, file.path.lstrip("/"))
    private = file.mode & 0o077 == 0
    os.makedirs(os.path.dirname(target), mode=0o700 if private else 0o755, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, file.mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(file.text)
        os.fchmod(opened.fileno(), file.mode)
        os.fsync(opened.fileno())
    files.sync(os.path.dirname(target))


def _below(root: str, path: str) -> str:
    """The path in the new machine, in this node's words. Raises StepError when a link of the image leads elsewhere."""
    folder = os.path.dirname(os.path.join(root, path))
    real, top = os.path.realpath(folder), os.path.realpath(root)
    if os.path.commonpath([real, top]) != top:
        raise StepError("/{} of the base image leads out of it: take an image whose folders are no links".format(path))
    return os.path.join(real, os.path.basename(path))
