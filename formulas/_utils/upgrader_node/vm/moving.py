"""Renames that never replace a file and that a cut at any instruction leaves whole.

rename(2) silently takes the place of what stands there, and the one that does not (renameat2) is unknown to glibc before 2.28.
A second name and then the first one gone is the same in two steps: between them both names are the same file.
"""

import errno
import os

from upgrader_node.errors import StepError
from upgrader_node.host import files


def move(source: str, target: str) -> None:
    """Give ``source`` the name ``target``, on disk when this returns; a move that was cut is ended. Raises StepError."""
    if os.path.basename(source) == os.path.basename(target):
        # One file by two ways: giving it a second name would be no more than taking away its only one.
        raise StepError("{} and {} may be one name of one file: give the second another name".format(source, target))
    try:
        if not (os.path.lexists(target) and os.path.samefile(source, target)):
            os.link(source, target, follow_symlinks=False)
            files.sync(os.path.dirname(target))
        os.unlink(source)
        files.sync(os.path.dirname(source))
    except FileExistsError:
        raise StepError("{} is there already: move it away, then run this again".format(target)) from None
    except OSError as error:
        raise StepError("{} cannot be renamed to {}: {}".format(source, target, _why(error))) from None


def aside(path: str, name: str) -> str:
    """Move a file to a name that nothing else has: the name itself or one with a number. A move that was cut is ended."""
    number, target = 1, name
    while os.path.lexists(target) and not os.path.samefile(path, target):
        number += 1
        target = "{}.{}".format(name, number)
    move(path, target)
    return target


def inode(path: str) -> int:
    """Which file has this name now; 0 when none has."""
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


def _why(error: OSError) -> str:
    if error.errno == errno.EXDEV:
        return "they are on different filesystems; keep it in a folder of the same one"
    if error.errno in (errno.EPERM, errno.EACCES):
        return "{}; is it immutable (lsattr), or is the filesystem one without hard links?".format(error.strerror)
    return "{}; mend that, then run this again".format(error.strerror)
