"""Locks on a node: who holds one is told, a dead owner holds nothing, and asking stands in nobody's way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.host import lock

UTILS = Path(lock.__file__).parents[2]
HOLD = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from upgrader_node.host import lock\n"
    "with lock.exclusively(lock.STORE, 'upgrader_store.prove', 'run-1', sys.argv[2]):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
    "print('left', flush=True); sys.stdin.close(); import time; time.sleep(60)\n"
)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the store's lock."""
    command = [sys.executable, "-c", HOLD, str(UTILS), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def take(folder: Path) -> None:
    with lock.exclusively(lock.STORE, "upgrader_export.create", "run-2", str(folder)):
        pass


def test_a_second_call_is_refused_by_the_name_of_the_first(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    sentence = (
        rf"the backup store is in use by upgrader_store\.prove of run run-1 \(process {other.pid}, since \d{{4}}-"
    )
    with pytest.raises(StepError, match=sentence):
        take(tmp_path)
    assert other.poll() is None


def test_the_lock_of_a_killed_call_is_free_at_once(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait(10)
    assert lock.owner(lock.STORE, str(tmp_path)) is None
    take(tmp_path)


def test_other_locks_are_free_meanwhile(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with lock.exclusively(lock.CLONES, "upgrader_clone.create", "run-2", str(tmp_path)):
        pass


def test_who_asks_for_the_owner_takes_no_lock(
    tmp_path: Path, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: object) -> None:
        raise AssertionError("a question took the lock")

    monkeypatch.setattr("fcntl.flock", taken)
    held = lock.owner(lock.STORE, str(tmp_path))
    assert held is not None
    assert (held.function, held.run, held.pid) == ("upgrader_store.prove", "run-1", other.pid)


def test_a_process_that_has_left_the_block_is_no_owner(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    assert other.stdin and other.stdout
    other.stdin.close()
    assert other.stdout.readline() == "left\n"
    assert lock.owner(lock.STORE, str(tmp_path)) is None


def test_an_error_inside_leaves_no_owner(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="inside"),
        lock.exclusively(lock.STORE, "upgrader_store.prove", "run-1", str(tmp_path)),
    ):
        raise ValueError("inside")
    assert lock.owner(lock.STORE, str(tmp_path)) is None


def test_another_process_under_the_pid_of_a_dead_owner_is_no_owner(tmp_path: Path) -> None:
    dead = {"function": "upgrader_store.prove", "run": "run-1", "pid": os.getpid(), "born": 1, "since": "2017"}
    (tmp_path / "store.lock").write_text(json.dumps(dead))
    assert lock.owner(lock.STORE, str(tmp_path)) is None
    take(tmp_path)
