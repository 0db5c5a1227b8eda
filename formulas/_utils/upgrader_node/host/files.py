"""Files that a cut at any instruction leaves whole."""

import contextlib
import os
import typing


@contextlib.contextmanager
def whole(
    path: str, mode: str = "w", permissions: int = 0o600, owned_as_folder: bool = False
) -> typing.Iterator[typing.Any]:
    """A file that is there when the block has ended well; until then, and after a crash, the old one is. Synced before it is renamed.

    By default readable by its owner only, who is the writer, or the owner of its folder.
    """
    beside = path + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    # Nobody's link is followed, and nobody else's file written: a plan may be put into /tmp.
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, permissions)
    with os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8") as file:
        if owned_as_folder:
            owner = os.stat(os.path.dirname(path))
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        yield file
        file.flush()
        os.fsync(descriptor)
    os.replace(beside, path)


def write(path: str, text: str, permissions: int = 0o600) -> None:
    """A crash leaves the old file or the new one. By default readable by its owner only."""
    with whole(path, permissions=permissions) as file:
        file.write(text)


def sync(path: str) -> None:
    """A file's content, or the names in a folder, are on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_name(path: str) -> str:
    """The name itself, or with a number: what was moved there before is never touched."""
    number, name = 1, path
    while os.path.lexists(name):
        number += 1
        name = "{}.{}".format(path, number)
    return name
