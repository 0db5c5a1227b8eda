"""Ctrl-C at any instruction leaves a chain that can be read and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import Run
from upgrader.errors import Interrupted
from upgrader.journal.journal import Journal, read_journal

ROOT = Path(__file__).parents[3]


class AtInstruction:
    """Raises KeyboardInterrupt at the n-th line that Python carries out in the journal's own code."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.endswith("journal/journal.py"):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def interrupted_at(number: int, action: Callable[[], object]) -> bool:
    """Whether the action was cut short at its n-th line."""
    previous = sys.gettrace()
    sys.settrace(AtInstruction(number))
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(previous)
    return False


def test_append_that_is_cut_at_any_line_leaves_a_chain_that_goes_on(tmp_path: Path) -> None:
    number, cut = 1, True
    while cut:
        path = tmp_path / f"{number}.jsonl"
        journal = Journal.create(path)
        journal.append("event", "t", word="before")
        cut = interrupted_at(number, lambda: journal.append("event", "t", word="cut"))  # noqa: B023  called at once
        journal.append("event", "t", word="after")
        words = [record["word"] for record in read_journal(path)]
        assert words in (["before", "after"], ["before", "cut", "after"]), number
        assert journal.records == read_journal(path)
        number += 1
    assert number > 20


@pytest.mark.parametrize("call", ["write", "fsync", "close"])
def test_interrupt_between_the_disk_and_the_memory_does_not_break_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    journal = Journal.create(tmp_path / "r.jsonl")
    journal.append("event", "t", word="before")
    real = getattr(os, call)

    def interrupted(*words: Any) -> Any:
        monkeypatch.setattr(os, call, real)
        real(*words)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append("event", "t", word="cut")
    journal.append("event", "t", word="after")
    assert [record["word"] for record in read_journal(journal.path)] == ["before", "cut", "after"]


def test_half_a_line_of_an_interrupted_write_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.create(tmp_path / "r.jsonl")
    journal.append("event", "t", word="before")
    real = os.write

    def half(descriptor: int, content: bytes) -> int:
        monkeypatch.setattr(os, "write", real)
        real(descriptor, content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(KeyboardInterrupt):
        journal.append("event", "t", word="cut")
    journal.append("event", "t", word="after")
    assert [record["word"] for record in read_journal(journal.path)] == ["before", "after"]
    assert (tmp_path / "r.jsonl.torn-2").exists()


def test_run_that_is_interrupted_after_the_disk_has_the_line_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real, left = Run(tmp_path), os.fsync, [6]

    def interrupted(descriptor: int) -> None:
        real(descriptor)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(Interrupted):
        run.start()
    assert run.events()[-1] == "run-interrupted"
    assert run.resume().ok


SMALL_RUN = """
    import signal, sys
    from pathlib import Path
    from tests.support.runs import Run
    from upgrader.errors import Interrupted

    # Whoever started the tests in a background without job control has left the interrupt ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    run = Run(Path(sys.argv[1]))
    run.salt.answer = lambda call, node: {"return": 1, "retcode": 0}
    run.clock.pause = lambda seconds: None
    print("ready", flush=True)
    try:
        while True:
            run.path = Path(sys.argv[1]) / f"{run.salt._next}.jsonl"
            run.start()
    except (Interrupted, KeyboardInterrupt):
        sys.exit(130)
"""


def test_real_signals_never_break_a_chain(tmp_path: Path) -> None:
    """Runs without end, and SIGINT somewhere in them. Whatever was cut, each journal is whole and the last run goes on."""
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        words = [sys.executable, "-c", textwrap.dedent(SMALL_RUN), str(folder)]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'formulas/_utils'}"}
        with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            while len(list(folder.glob("*.jsonl"))) < 2 + number:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(timeout=20) == 130
            finally:
                process.kill()
        newest = max(folder.glob("*.jsonl"), key=lambda path: int(path.stem))
        for path in folder.glob("*.jsonl"):
            assert read_journal(path) or path == newest
        if read_journal(newest):
            run = Run(folder)
            run.path = newest
            assert run.resume().ok
