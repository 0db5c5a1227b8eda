"""A copy of the formulas where a Salt master serves them from: whole or not at all, and of one version."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from upgrader_node.host import files, sources
from upgrader_node.host.findings import some

from upgrader.content import FORMULAS
from upgrader.errors import Refused, UpgradeError

MARK = ".upgrader-formulas.json"
"""In the folder that we made: what lies there, by which we know it again."""
BASE = "/srv/salt"
"""What a Salt master serves that says nothing of file_roots."""


def install(to: Path, version: str) -> bool:
    """Put the formulas there; False when they were there already. Raises Refused for a folder that is not ours, or was edited.

    The new ones are complete beside the old before the names are exchanged. Cut off in between, a second call ends it.
    """
    shipped = sources.files(str(FORMULAS))
    fresh, old = to.with_name(f".{to.name}.new"), to.with_name(f".{to.name}.old")
    try:
        if to.is_dir() and held(to) == shipped:
            _discard((fresh, old))
            return False
        _require_ours(to)
        _discard((fresh,))
        fresh.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(FORMULAS, fresh, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        if sources.files(str(fresh)) != shipped:
            raise UpgradeError(
                f"what was copied to {fresh} is not what was read from {FORMULAS}: look at that disk, then again"
            )
        files.write(
            str(fresh / MARK), json.dumps({"version": version, "files": shipped}, indent=1, sort_keys=True), 0o644
        )
        _exchange(fresh, to, old)
    except OSError as error:
        raise UpgradeError(f"the formulas cannot be put into {to}: {error.strerror} ({error.filename})") from error
    return True


def held(folder: Path) -> dict[str, str]:
    """What lies there, by name, but for our mark."""
    return {name: own for name, own in sources.files(str(folder)).items() if name != MARK}


def roots_with(to: Path, served: Iterable[str]) -> list[str]:
    """What ``file_roots`` of the base environment has to say: ours, and what the master serves already."""
    return [str(to), *(root for root in served if Path(root) != to)]


def _require_ours(to: Path) -> None:
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise Refused(f"{to} is no folder: name another one with --to")
    if not to.exists() or not any(to.iterdir()):
        return
    try:
        made = json.loads((to / MARK).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(
            f"{to} holds something that this tool did not put there: name an empty or a new folder with --to"
        ) from None
    edited = sorted(name for name, own in held(to).items() if made.get(name) != own)
    if edited:
        raise Refused(
            f"in {to} somebody edited or added {some(edited, 3)}: keep it elsewhere and take it away, then again"
        )


def _exchange(fresh: Path, to: Path, old: Path) -> None:
    """Two renames; between them the name is free for a moment, and ``old`` says so."""
    if to.exists():
        _discard((old,))
        os.rename(to, old)
    os.rename(fresh, to)
    _discard((old,))


def _discard(folders: Iterable[Path]) -> None:
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
