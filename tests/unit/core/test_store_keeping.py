"""The store's own housekeeping: what may go, what may be restored, room, and scratch servers that killed calls left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from upgrader_node.backup import prepared, scratch, store
from upgrader_node.errors import StepError

NAMES = ("r1", "r2", "r3", "r4")


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """Four backups of cloud prague, oldest first; only the last is proven."""
    for number, name in enumerate(NAMES):
        folder = tmp_path / name
        folder.mkdir()
        proven = "2017-08-01T10:00:00Z" if name == "r4" else False
        receipt = {
            "id": name,
            "taken_at": f"2017-08-0{number + 1}",
            "bytes": 1000000,
            "cloud": "prague",
            "proven": proven,
        }
        (folder / "receipt.json").write_text(json.dumps(receipt))
        (folder / "archive.zst").write_bytes(b"x")
    (tmp_path / "scratch" / "r1").mkdir(parents=True)
    return str(tmp_path)


def left(folder: str) -> list[str]:
    return [document["id"] for document in store.receipts(folder)]


def test_the_oldest_go_first_and_the_protected_stay(kept: str) -> None:
    answer = store.prune(kept, 1, ["r2"], False)
    assert (answer["removed"], answer["kept"], answer["changed"]) == (["r1", "r3"], ["r2", "r4"], True)
    assert left(kept) == ["r2", "r4"]
    assert not (Path(kept) / "scratch" / "r1").exists()


def test_a_trial_removes_nothing_and_says_so(kept: str) -> None:
    answer = store.prune(kept, 2, [], True)
    assert (answer["removed"], answer["changed"]) == (["r1", "r2"], False)
    assert answer["comment"].startswith("would remove 2 of 4")
    assert left(kept) == list(NAMES)


def test_one_backup_stays_at_least(kept: str) -> None:
    with pytest.raises(StepError, match="at least one backup has to stay"):
        store.prune(kept, 0, [], False)


def test_a_backup_without_receipt_is_none(kept: str) -> None:
    (Path(kept) / "r2" / "receipt.json").unlink()
    assert left(kept) == ["r1", "r3", "r4"]


def test_only_a_proven_backup_of_this_cloud_may_be_restored(kept: str) -> None:
    with pytest.raises(StepError, match="r1 was never proven"):
        store.require_proven(kept, "r1", "prague")
    with pytest.raises(StepError, match="is of cloud prague, this is cloud vienna"):
        store.require_proven(kept, "r4", "vienna")
    with pytest.raises(StepError, match="has 1 bytes, its receipt says 1000000"):
        store.require_proven(kept, "r4", "prague")


def test_a_disk_that_is_too_small_is_told_before_anything_is_sent(kept: str) -> None:
    assert store.room(kept + "/not/yet/there", 1)["free"] > 0
    with pytest.raises(StepError, match="make room there or set pillar"):
        store.room(kept, 10**18)


SLEEP = "import sys; print('on', flush=True); sys.stdin.read()"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Stand-ins for servers that have only begun to start: a process on a folder, and no pid file."""
    started = {}
    for name in ("r1", "r10"):
        command = [sys.executable, "-c", SLEEP, f"--datadir={tmp_path}/scratch/{name}"]
        started[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        out = started[name].stdout
        assert out and out.readline() == "on\n"
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


def test_a_server_that_a_killed_call_left_is_ended_and_no_other(
    tmp_path: Path, servers: dict[str, subprocess.Popen[str]]
) -> None:
    scratch.stop(str(tmp_path / "scratch" / "r1"))
    assert servers["r1"].wait(10) == -9
    assert servers["r10"].poll() is None


def test_copies_that_earlier_runs_left_go_with_their_servers(
    tmp_path: Path, servers: dict[str, subprocess.Popen[str]]
) -> None:
    for name in ("r1", "r10"):
        (tmp_path / "scratch" / name).mkdir(parents=True, exist_ok=True)
    prepared.remove_others(str(tmp_path), "r10")
    assert servers["r1"].wait(10) == -9
    assert servers["r10"].poll() is None
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["r10"]
