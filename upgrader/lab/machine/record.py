"""Small JSON records of a lab that a cut at any instruction leaves whole: the old one or the new one, never half of it.

A power loss may still leave an empty file of an earlier version of the tool: such a record counts as none, for the
lab works from what is there (processes, mounts), not from what was written down.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, values: dict[str, Any], mode: int = 0o600) -> None:
    """Puts the record on the disk and then in its place."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        json.dump(values, file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """The record, or None when there is none or what is there is no record."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return held if isinstance(held, dict) else None
