"""Files that a command writes for the operator, where ``--out`` says."""

from __future__ import annotations

from pathlib import Path

from upgrader_node.host import files

from upgrader.errors import UsageError


def write(path: Path, text: str, what: str) -> None:
    """A file for the operator, readable by its owner only. Raises UsageError where it cannot be."""
    try:
        files.write(str(path), text)
    except OSError as error:
        raise UsageError(
            f"the {what} cannot be written to {path}: {error.strerror}; name another file with --out"
        ) from error
