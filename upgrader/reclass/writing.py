"""Writing changes into the user's model: all of them or none, with the originals kept outside of it.

A copy beside the file would be read by reclass as another class, so the originals go under the state directory, by run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from upgrader.errors import Refused, UpgradeError

Edits = Mapping[Path, tuple[str | None, str]]


def write(edits: Edits, keep: Path, judge: Callable[[], str]) -> None:
    """Write every edit (path to old text, or None for a new file, and new text), then ask ``judge`` about the result.

    ``judge`` returns why the model must not stay like that, or "". Then, or when a write fails, everything is put back and
    Refused says so. Nothing is written when a file is not any more what it was when it was read.
    """
    real = {Path(os.path.realpath(path)): texts for path, texts in edits.items()}
    for path, (old, _) in real.items():
        if (path.read_bytes().decode("utf-8") if path.exists() else None) != old:
            raise Refused(f"{path} was changed meanwhile; nothing was written: run the command again")
    try:
        _keep(real, keep)
    except OSError as error:
        raise UpgradeError(f"originals cannot be kept in {keep}: {error.strerror}; nothing was written") from None
    done: list[Path] = []
    try:
        for path, (_, new) in real.items():
            done.append(path)
            _replace(path, new, keep.name)
        reason = judge()
    except OSError as error:
        _back(real, done, keep)
        raise UpgradeError(
            f"{error.filename or path} cannot be written: {error.strerror}; everything was put back"
        ) from None
    except BaseException:
        _back(real, done, keep)
        raise
    if reason:
        _back(real, done, keep)
        raise Refused(f"{reason}; everything was put back")


def _keep(edits: Edits, keep: Path) -> None:
    """The originals, readable by their owner only: a model holds passwords."""
    keep.mkdir(parents=True, mode=0o700)
    for path, (old, _) in edits.items():
        if old is not None:
            target = keep / str(path).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(old.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())


def _replace(path: Path, text: str, run: str) -> None:
    """The file as a whole or not at all, with the mode and owner it had; a new one is as its folder's owner has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    like = path.stat() if path.exists() else path.parent.stat()
    mode = like.st_mode & 0o777 if path.exists() else like.st_mode & 0o666
    fresh = path.with_name(f".{path.name}.{run}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _back(edits: Edits, done: list[Path], keep: Path) -> None:
    for path in done:
        old = edits[path][0]
        if old is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != old.encode("utf-8"):
            _replace(path, old, keep.name)
