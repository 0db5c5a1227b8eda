"""The journal survives what disks and crashes do, and refuses what people do."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from upgrader.errors import InDoubt, UpgradeError
from upgrader.journal.journal import Journal, read_journal, whole_lines


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


def test_line_that_was_only_written_in_another_way_is_whole(path: Path) -> None:
    Journal.create(path).append("event", "t", args={"hash": "x"})
    before = read_journal(path)
    path.write_text(json.dumps(before[0]) + "\n")
    assert read_journal(path) == before


def test_hash_that_was_moved_into_another_value_is_refused(path: Path) -> None:
    Journal.create(path).append("event", "t", word="a")
    own = f'"hash":"{read_journal(path)[0]["hash"]}",'
    path.write_text(path.read_text().replace(own, "").replace('{"at"', f'{{"args":{{{own}"x":1}},"at"'))
    with pytest.raises(InDoubt, match="line 1"):
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
    torn = path.with_name("r1.jsonl.torn-2")
    assert torn.read_bytes() == b'{"event":"torn'
    assert torn.stat().st_mode & 0o777 == 0o600


def test_whole_journal_is_opened_without_anything_put_aside(path: Path) -> None:
    Journal.create(path).append("event", "t")
    Journal.open(path)
    assert list(path.parent.iterdir()) == [path]


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


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every fsync that was asked for: what it was of, and how many bytes that had."""
    asked: list[tuple[str, int]] = []

    def fsync(descriptor: int) -> None:
        asked.append((os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    return asked


def test_line_is_on_disk_before_append_returns(path: Path, synced: list[tuple[str, int]]) -> None:
    journal = Journal.create(path)
    for number in range(3):
        journal.append("event", "t", number=number)
        assert synced[-1] == (str(path), path.stat().st_size)


def test_lines_for_many_nodes_wait_for_the_disk_once(path: Path, synced: list[tuple[str, int]]) -> None:
    journal = Journal.create(path)
    synced.clear()
    written = journal.append_all([{"at": "t", "event": "node-started", "node": f"n{number}"} for number in range(50)])
    assert synced == [(str(path), path.stat().st_size)]
    assert read_journal(path) == written == journal.records


def test_folders_of_a_new_journal_are_on_disk_before_anything_is_begun(
    path: Path, synced: list[tuple[str, int]]
) -> None:
    """A file whose entry is lost with the power is no memory: its folder's, the cloud's and the state directory's entries too."""
    Journal.create(path)
    assert {str(path.parent), str(path.parent.parent), str(path.parents[2])} <= {name for name, _ in synced}


def test_line_that_the_disk_could_not_keep_is_no_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.create(path)
    journal.append("event", "t", word="whole")
    before = path.read_bytes()

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(UpgradeError, match="Input/output error"):
        journal.append("event", "t", word="lost")
    assert path.read_bytes() == before


def test_journal_is_never_overwritten(path: Path) -> None:
    Journal.create(path)
    with pytest.raises(UpgradeError, match="nothing was started"):
        Journal.create(path)


def test_journal_that_cannot_be_read_is_told_with_why(tmp_path: Path) -> None:
    with pytest.raises(UpgradeError, match=rf"^journal {tmp_path}/r\.jsonl cannot be read: No such file or directory$"):
        read_journal(tmp_path / "r.jsonl")


def test_piece_of_a_journal_is_read_behind_the_lines_before_it_and_behind_no_others(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "r.jsonl")
    for number in range(4):
        journal.append("line", "t", number=number)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    before = journal.records[:3]
    assert [one["number"] for one in whole_lines(journal.path, lines[3], before)] == [3]
    with pytest.raises(InDoubt, match="line 3 does not fit the line before it"):
        whole_lines(journal.path, lines[3], before[:2])
    with pytest.raises(InDoubt, match="line 1 does not fit"):
        whole_lines(journal.path, lines[3], [])
