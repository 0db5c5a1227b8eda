"""What a secret's file holds. Nobody else may read it, and no message ever shows it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from upgrader.errors import UsageError

LONGEST = 4096


def secret_in(path: Path, what: str) -> str:
    """The first line of a file. Raises UsageError for one that is not there, empty, no text, or open to others.

    :param what: what the secret is, for the sentence
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            first = file.read(LONGEST).split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{what} file {path} cannot be read: {why}; correct salt_api in the configuration") from None
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"{what} file {path} can be read by others: chmod 600 {path}")
    if not first:
        raise UsageError(f"{what} file {path} begins with an empty line: write the {what} into it")
    return first
