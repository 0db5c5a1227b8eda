"""The renames of a restore: cut off at any moment, the next call ends where an undisturbed one would have."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.restore import place as copies
from upgrader_node.restore import swap as folders

RECEIPT: dict[str, Any] = {
    "id": "b1",
    "sha256": "0" * 64,
    "compression": "zstd",
    "server_version": "10.11.19-MariaDB",
    "galera": {"name": "c", "uuid": "e12cdfdb-e6f5-11f1-8054-7a58c7ac52de", "seqno": 518},
}
OWNER = (os.getuid(), os.getgid())


class Killed(BaseException):
    """What a SIGKILL is to the code: nothing after it runs."""


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    folder = tmp_path / "mysql"
    folder.mkdir()
    (folder / "ibdata1").write_text("old")
    (folder / "debian-10.11.flag").touch()
    (folder / "mysql_upgrade_info").write_text("10.11.19-MariaDB")
    (folder / "server-key.pem").write_text("key")
    prepare(folder)
    return folder


def prepare(datadir: Path) -> Path:
    prepared = Path(folders.prepared_folder(str(datadir), "b1"))
    prepared.mkdir()
    (prepared / "ibdata1").write_text("new")
    (prepared / "galera.cache").write_text("stale")
    (prepared / "nova").mkdir()
    folders.write_mark(str(prepared), {"receipt": "b1", "sha256": "0" * 64}, folders.PREPARED_MARK)
    return prepared


def restore(datadir: Path, receipt: dict[str, Any] = RECEIPT) -> str:
    """What ``upgrader_restore.swap`` does with the folders."""
    at = str(datadir)
    prepared, before = folders.prepared_folder(at, "b1"), folders.before_folder(at, "run-1")
    if folders.swapped(at, "run-1"):
        return before
    old = at if datadir.is_dir() else before
    folders.finish_copy(prepared, old, OWNER, receipt, "run-1", True)
    return folders.swap(at, prepared, before)


def assert_done(datadir: Path) -> None:
    assert (datadir / "ibdata1").read_text() == "new"
    assert not (datadir / "galera.cache").exists()
    assert folders.saved_state(str(datadir))["seqno"] == "518"
    assert folders.saved_state(str(datadir))["safe_to_bootstrap"] == "1"
    assert folders.swapped(str(datadir), "run-1")
    assert not Path(folders.prepared_folder(str(datadir), "b1")).exists()
    before = Path(folders.before_folder(str(datadir), "run-1"))
    assert (before / "ibdata1").read_text() == "old"
    assert (datadir / "debian-10.11.flag").exists()


def test_undisturbed_swap_keeps_what_was_there(datadir: Path) -> None:
    assert restore(datadir) == folders.before_folder(str(datadir), "run-1")
    assert_done(datadir)
    assert (datadir / "server-key.pem").read_text() == "key"
    assert (datadir / "mysql_upgrade_info").exists()


@pytest.mark.parametrize("function", ["rename", "replace", "chown", "chmod", "fsync", "unlink"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("count", range(1, 7))
def test_swap_killed_at_any_call_is_finished_by_the_next(
    datadir: Path, monkeypatch: pytest.MonkeyPatch, function: str, after: bool, count: int
) -> None:
    real, left = getattr(os, function), [count]

    def dying(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and not after:
            raise Killed
        done = real(*args, **more)
        if left[0] == 0:
            raise Killed
        return done

    with monkeypatch.context() as patch:
        patch.setattr(os, function, dying)
        with contextlib.suppress(Killed):
            restore(datadir)
    restore(datadir)
    assert_done(datadir)


def test_missing_and_empty_datadir_are_fine(datadir: Path) -> None:
    for name in os.listdir(datadir):
        (datadir / name).unlink()
    assert restore(datadir) == ""
    assert (datadir / "ibdata1").read_text() == "new"


def test_second_folder_of_that_name_is_never_overwritten(datadir: Path) -> None:
    before = Path(folders.before_folder(str(datadir), "run-1"))
    before.mkdir()
    (before / "precious").touch()
    assert restore(datadir) == f"{before}.2"
    assert (before / "precious").exists()


def test_swap_without_a_finished_copy_is_refused(datadir: Path) -> None:
    with pytest.raises(StepError, match="not a finished copy"):
        folders.swap(str(datadir), str(datadir) + ".prepared-b2", str(datadir) + ".before-r")
    assert (datadir / "ibdata1").read_text() == "old"


def test_datadir_that_cannot_be_renamed_says_so(datadir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*args: Any) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "rename", busy)
    with pytest.raises(StepError, match="mount point"):
        restore(datadir)


def test_upgrade_mark_of_another_server_version_is_not_taken_over(datadir: Path) -> None:
    restore(datadir, {**RECEIPT, "server_version": "10.11.5-MariaDB"})
    assert not (datadir / "mysql_upgrade_info").exists()


def test_server_without_a_cluster_gets_no_cluster_state(datadir: Path) -> None:
    restore(datadir, {**RECEIPT, "galera": None})
    assert not (datadir / "grastate.dat").exists()


def test_only_a_copy_of_exactly_this_backup_counts_as_placed(datadir: Path) -> None:
    prepared = folders.prepared_folder(str(datadir), "b1")
    assert copies.is_placed(prepared, RECEIPT)
    assert not copies.is_placed(prepared, {**RECEIPT, "sha256": "1" * 64})
    assert not copies.is_placed(prepared + "x", RECEIPT)


def test_torn_mark_is_no_mark(datadir: Path) -> None:
    prepared = Path(folders.prepared_folder(str(datadir), "b1"))
    (prepared / folders.PREPARED_MARK).write_text('{"rec')
    assert not copies.is_placed(str(prepared), RECEIPT)


def test_copy_that_does_not_arrive_whole_is_removed(tmp_path: Path) -> None:
    from upgrader_node.backup import backup_tool

    archive = tmp_path / "archive"
    archive.write_bytes(b"no archive at all")
    receipt = {**RECEIPT, "bytes": 17, "data_bytes": 1}
    folder = tmp_path / "mysql.prepared-b1"
    tool = backup_tool.Tool("true", "none", "cat")
    with pytest.raises(StepError, match="b1 cannot be unpacked here"):
        copies.place(str(folder), receipt, ["cat", str(archive)], tool, 30)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("ends", "guilty"),
    [
        (((0, ""), (0, ""), (0, "")), None),
        (((255, "Connection closed by 10.20.0.10"), (1, "unexpected end of file"), (1, "premature end")), "ssh"),
        (((1, ""), (70, "Write error : cannot write block : Broken pipe"), (1, "errno 28: No space left")), "mbstream"),
        (((-13, ""), (1, "Decoding error (36) : Data corruption detected"), (1, "premature end")), "zstd"),
        (((0, ""), (-9, ""), (0, "")), "zstd"),
        (((1, ""), (0, ""), (0, "")), "ssh"),
    ],
)
def test_cause_of_a_broken_flow_is_the_one_that_names_it(ends: Any, guilty: str | None) -> None:
    names = ("ssh", "zstd", "mbstream")
    ended = [copies.pipeline.Ended(name, *end) for name, end in zip(names, ends, strict=True)]
    found = copies._cause(ended)
    assert (found.program if found else None) == guilty
