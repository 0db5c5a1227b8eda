"""The journal survives what disks and crashes do, and refuses what people do."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from upgrader.errors import InDoubt, UpgradeError
from upgrader.journal.journal import Journal, read_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lab" / "runs" / "r1.jsonl"


def test_each_line_carries_the_hash_of_the_one_before(path: Path) -> None:
    journal = Journal.create(path)
    journal.append("first", "t1", word="a")
    journal.append("second", "t2")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[1]["prev"] == lines[0]["hash"]
    assert [line["n"] for line in lines] == [1, 2]


def test_journal_is_readable_by_its_owner_only(path: Path) -> None:
    Journal.create(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_changed_line_is_refused_with_its_number(path: Path) -> None:
    journal = Journal.create(path)
    for word in ("a", "b", "c"):
        journal.append("event", "t", word=word)
    path.write_text(path.read_text().replace('"word":"b"', '"word":"x"'))
    with pytest.raises(InDoubt, match="line 2"):
        read_journal(path)


def test_removed_line_is_refused(path: Path) -> None:
    journal = Journal.create(path)
    for word in ("a", "b", "c"):
        journal.append("event", "t", word=word)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    with pytest.raises(InDoubt, match="line 2"):
        read_journal(path)


def test_torn_last_line_is_put_aside_and_the_journal_goes_on(path: Path) -> None:
    journal = Journal.create(path)
    journal.append("event", "t", word="whole")
    with path.open("ab") as file:
        file.write(b'{"event":"torn')
    assert len(read_journal(path)) == 1
    again = Journal.open(path)
    again.append("event", "t", word="after")
    assert [record["word"] for record in read_journal(path)] == ["whole", "after"]
    assert path.with_name("r1.jsonl.torn-2").read_bytes() == b'{"event":"torn'


def test_full_disk_leaves_a_whole_chain_and_says_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.create(path)
    journal.append("event", "t", word="whole")
    before = path.read_bytes()
    write = os.write

    def half_then_full(descriptor: int, content: bytes) -> int:
        if len(content) > 20:
            return write(descriptor, content[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    def full(descriptor: int, content: bytes) -> int:
        if path.stat().st_size > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return half_then_full(descriptor, content)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(UpgradeError, match=r"cannot be written \(No space left on device\).*upgrader resume"):
        journal.append("event", "t", word="lost")
    assert path.read_bytes() == before
    assert len(journal.records) == 1


def test_journal_is_never_overwritten(path: Path) -> None:
    Journal.create(path)
    with pytest.raises(UpgradeError, match="nothing was started"):
        Journal.create(path)
