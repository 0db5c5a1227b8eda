"""The journal: one JSON object a line, fsynced, each line carrying the hash of the one before.

It is the only memory of a run. A line is on disk before the effect it announces; a line cut short by a crash is put
aside next to the file and never guessed at; a line that was changed afterwards breaks the chain and is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from upgrader.errors import InDoubt, UpgradeError

JOURNAL_SCHEMA = 1
START = "0" * 64

Record = Mapping[str, Any]


def _canonical(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), default=str).encode()


def _sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "hash": hashlib.sha256(_canonical(record)).hexdigest()}


def _parse(path: Path, number: int, line: bytes, previous: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line.decode())
    except ValueError as error:
        raise InDoubt(
            f"{path}: line {number} is not JSON; restore the file from a copy, the run cannot be trusted without it"
        ) from error
    if record.get("prev") != previous or not _is_whole(line, record):
        raise InDoubt(
            f"{path}: line {number} does not fit the line before it, so the journal was changed; restore it from a copy"
        )
    return record


def _is_whole(line: bytes, record: Mapping[str, Any]) -> bool:
    """Whether the line's hash is that of everything else in it. The text as it stands is tried first: that takes half the time."""
    own = f'"hash":"{record.get("hash")}",'.encode()
    if line.count(own) == 1 and hashlib.sha256(line.replace(own, b"")).hexdigest() == record.get("hash"):
        return True
    body = {key: value for key, value in record.items() if key != "hash"}
    return bool(_sealed(body)["hash"] == record.get("hash"))


def read_journal(path: Path) -> list[Record]:
    """All whole lines of a journal, the chain checked. A last line without its newline was cut by a crash and is left out."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UpgradeError(f"journal {path} cannot be read: {error.strerror}") from error
    return whole_lines(path, content, [])


def whole_lines(path: Path, content: bytes, before: Sequence[Record]) -> list[Record]:
    """The whole lines of a piece of a journal, chained to those before it. Raises InDoubt for one that does not fit."""
    records: list[Record] = []
    previous = before[-1]["hash"] if before else START
    for number, line in enumerate(content.split(b"\n")[:-1], start=len(before) + 1):
        record = _parse(path, number, line, previous)
        records.append(record)
        previous = record["hash"]
    return records


class Journal:
    """An open journal that can be appended to. One process at a time: the caller holds the cloud's lock.

    An exception can end ``append`` at any instruction (Ctrl-C is one), also after the line has reached the disk. Until the
    line stands in ``records`` too, the memory does not count: the next append reads the file again first.
    """

    def __init__(self, path: Path, records: list[Record]) -> None:
        self.path = path
        self.records = records
        self._as_on_disk = True

    @classmethod
    def create(cls, path: Path) -> Journal:
        """A new, empty journal, readable by its owner only. The entries of its folders are synced too."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            os.close(descriptor)
            for folder in path.parents[:3]:
                _sync_folder(folder)
        except OSError as error:
            raise UpgradeError(f"journal {path} cannot be created: {error.strerror}; nothing was started") from error
        return cls(path, [])

    @classmethod
    def open(cls, path: Path) -> Journal:
        """An existing journal, ready to go on. A torn last line is moved to ``<file>.torn-<line>`` first."""
        return cls(path, _whole_records(path))

    def append(self, event: str, at: str, **fields: Any) -> Record:
        """Write one line and wait until it is on disk. ``at`` is UTC, ISO 8601. Raises UpgradeError when it cannot be."""
        return self.append_all([{"at": at, "event": event, **fields}])[0]

    def append_all(self, bodies: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Write several lines with one wait for the disk: a step over a thousand nodes has a line for each."""
        if not self._as_on_disk:
            self.records = _whole_records(self.path)
        self._as_on_disk = False
        records = self._chained(bodies)
        self._write(b"".join(_canonical(record) + b"\n" for record in records))
        self.records.extend(records)
        self._as_on_disk = True
        return records

    def _chained(self, bodies: Sequence[Mapping[str, Any]]) -> list[Record]:
        previous = self.records[-1]["hash"] if self.records else START
        chained: list[Record] = []
        for number, body in enumerate(bodies, start=len(self.records) + 1):
            whole = {"journal_schema": JOURNAL_SCHEMA, "n": number, **body, "prev": previous}
            chained.append(_sealed(json.loads(_canonical(whole))))
            previous = chained[-1]["hash"]
        return chained

    def _write(self, lines: bytes) -> None:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                _write_all(descriptor, lines)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise UpgradeError(
                f"journal {self.path} cannot be written ({error.strerror}); nothing more is done, make room and run 'upgrader resume'"
            ) from error


def _whole_records(path: Path) -> list[Record]:
    """What the file holds; a torn last line is put aside."""
    records = read_journal(path)
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        torn = path.with_name(f"{path.name}.torn-{len(records) + 1}")
        torn.touch(mode=0o600)
        torn.write_bytes(content[whole:])
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
    return records


def _write_all(descriptor: int, lines: bytes) -> None:
    """A full disk may take half a line, or not be able to keep it; it is cut off again so that the chain stays whole."""
    before = os.fstat(descriptor).st_size
    try:
        written = 0
        while written < len(lines):
            written += os.write(descriptor, lines[written:])
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
