"""A second copy of a disk's file, beside it or elsewhere: whole under its name, on disk, or not there at all."""

import errno
import fcntl
import hashlib
import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import moving

FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
CHUNK = 1024 * 1024
NOTHING = bytes(CHUNK)
PARTIAL = ".partial"


def copy(source: str, target: str) -> str:
    """Stream ``source`` to the free name ``target``; holes stay holes. Returns the sha256 of what was read. Raises StepError."""
    digest = hashlib.sha256()
    _make(source, target, lambda read, write: _stream(read, write, digest))
    return digest.hexdigest()


def reflink(source: str, target: str) -> None:
    """The copy that shares its blocks, made at once (XFS, btrfs). Raises StepError where the filesystem has none."""
    _make(source, target, _clone)


def can_reflink(folder: str) -> bool:
    """Whether the filesystem does it: it is tried on a file of one block, which is gone afterwards."""
    probe = os.path.join(folder, ".upgrader-reflink-{}".format(os.getpid()))
    try:
        with open(probe, "wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        reflink(probe, probe + ".copy")
        os.unlink(probe + ".copy")
        return True
    except (OSError, StepError):
        return False
    finally:
        forget(probe)


def whole(target: str) -> bool:
    """Whether a copy has its name, which it only gets when it is whole; the name that it had before is taken away."""
    there = moving.inode(target) != 0
    if there:
        forget(target + PARTIAL)
    return there


def sha256(path: str) -> str:
    """Hash of a file's content, hexadecimal; what is read is not left in the page cache's way."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


def forget(path: str) -> None:
    """Remove a file of ours that nobody knows by name; none is no error."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _make(source: str, target: str, fill: typing.Callable[[typing.Any, typing.Any], None]) -> None:
    """Under a name of its own until it is whole: what a cut leaves there is made anew by the next call."""
    beside = target + PARTIAL
    forget(beside)
    try:
        with open(source, "rb", buffering=0) as read:
            like = os.fstat(read.fileno())
            descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as write:
                fill(read, write)
                os.fchown(write.fileno(), like.st_uid, like.st_gid)
                os.fchmod(write.fileno(), like.st_mode & 0o7777)
                os.fsync(write.fileno())
    except OSError as error:
        forget(beside)
        raise StepError("{} cannot be copied to {}: {}".format(source, target, _why(error, source, target))) from None
    moving.move(beside, target)


def _stream(read: typing.Any, write: typing.Any, digest: typing.Any) -> None:
    for block in iter(lambda: read.read(CHUNK), b""):
        digest.update(block)
        if block == NOTHING[: len(block)]:
            write.seek(len(block), os.SEEK_CUR)
        else:
            _write(write, block)
    write.truncate(write.tell())


def _write(write: typing.Any, block: bytes) -> None:
    """All of it: a disk that is nearly full takes a part of a block first, and says so at the next one."""
    view = memoryview(block)
    while view:
        view = view[write.write(view) :]


def _clone(read: typing.Any, write: typing.Any) -> None:
    fcntl.ioctl(write.fileno(), FICLONE, read.fileno())


def _why(error: OSError, source: str, target: str) -> str:
    if error.errno == errno.ENOSPC:
        room = os.statvfs(os.path.dirname(target))
        free, taken = room.f_bavail * room.f_frsize // 1000000, os.lstat(source).st_blocks * 512 // 1000000
        what = "no room, it takes {} MB and {} MB are free there; nothing is left behind, make room and run this again"
        return what.format(taken, free)
    if error.errno in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY):
        return "the filesystem cannot share blocks between them; take mode copy, or rename"
    return "{}; mend that, then run this again".format(error.strerror)
