"""A run that was started elsewhere is followed from its journal: the same lines, its exit code, and never a hand laid on it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tests.support.command import Command, command_in
from tests.support.long_run import RUN, LongRun, plan
from tests.support.runs import Run, failing, step
from upgrader.cli import watching
from upgrader.engine.events import BatchFinished, Event, StepFinished, StepPassed, StepStarted
from upgrader.errors import InDoubt
from upgrader.journal.archive import Archive
from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.tail import Tail
from upgrader.plan.step import Spread
from upgrader.report.console import ConsoleObserver
from upgrader.report.replay import Replay

TOTAL = len(list(plan().steps()))


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_in(tmp_path / "state", monkeypatch, capsys)


class Elsewhere:
    """Another process that writes a journal: a few lines whenever the watcher sleeps. ``after`` is what it does at its end."""

    def __init__(self, state: Path, lines: list[bytes], after: Callable[[], None] = lambda: None) -> None:
        self.path = state / "lab" / "runs" / f"{RUN}.jsonl"
        self.path.parent.mkdir(parents=True)
        self.path.touch()
        self.lines, self.after, self.seconds = lines, after, 0.0

    def write(self, number: int) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(self.lines[:number]))
        self.lines = self.lines[number:]

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.lines:
            self.write(3)
        else:
            self.after()

    def monotonic(self) -> float:
        return self.seconds


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, elsewhere: Elsewhere, state: Path) -> Iterator[None]:
    monkeypatch.setattr(watching, "time", SimpleNamespace(sleep=elsewhere.sleep, monotonic=elsewhere.monotonic))
    with Archive(state).lock("lab", "bob@cfg01"):
        yield


def lines_until(folder: Path, stop: str) -> list[bytes]:
    return LongRun(folder / "made").until(stop).path.read_bytes().splitlines(keepends=True)


def after(lines: list[bytes], event: str, number: int = 1) -> int:
    """How many lines stand before and with the n-th line of this event."""
    return [at for at, line in enumerate(lines, start=1) if f'"event":"{event}"'.encode() in line][number - 1]


def test_watcher_sees_what_the_runs_own_terminal_shows(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_until(tmp_path, "finished")
    elsewhere = Elsewhere(tmp_path / "state", lines)
    elsewhere.write(after(lines, "run-resumed", 3) - 1)
    elsewhere.write(1)
    with running(monkeypatch, elsewhere, tmp_path / "state"):
        ran = command("watch")
    assert ran.code == 0
    said = ran.out.splitlines()
    assert said[0].startswith(
        f"run {RUN} (test-upgrade of cloud lab): {TOTAL - 1} of {TOTAL} steps done, 1 failed; started 2017-08-01"
    )
    assert said[1].startswith("failed computes: cmp06.lab.local: dpkg")
    assert any(f"[{TOTAL - 1}/{TOTAL}] packages on every compute" in line and "(cmp06, cmp07)" in line for line in said)
    assert "        12 of 12 nodes done" in said
    assert f"finished, all {TOTAL} steps done in" in said[-1]


@pytest.mark.parametrize(
    ("stop", "code", "said"),
    [
        ("refused", 3, "nothing was changed"),
        ("interrupted", 130, "the run was interrupted, and no process works on it"),
        ("failed", 1, "at step computes, which failed"),
        ("finished", 0, ""),
    ],
)
def test_end_has_the_runs_own_exit_code(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: str, code: int, said: str
) -> None:
    LongRun(tmp_path / "state").until(stop)
    monkeypatch.setattr(watching, "IDLE", -1.0)
    ran = command("watch", RUN[:9])
    assert (ran.code, said in ran.err) == (code, True)
    assert "now:" not in ran.out


def test_run_whose_process_was_killed_is_four(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_until(tmp_path, "interrupted")
    elsewhere = Elsewhere(tmp_path / "state", lines[:-1])
    monkeypatch.setattr(watching, "time", SimpleNamespace(sleep=elsewhere.sleep, monotonic=elsewhere.monotonic))
    elsewhere.write(5)
    ran = command("watch", RUN)
    assert ran.code == 4
    assert "the run was cut off, and no process works on it" in ran.err
    assert elsewhere.seconds >= watching.IDLE


def test_run_that_was_cut_before_its_first_line_is_four(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Elsewhere(tmp_path / "state", [])
    monkeypatch.setattr(watching, "IDLE", -1.0)
    ran = command("watch", RUN)
    assert ran.code == 4
    assert "cut off before anything was done" in ran.err


def test_ctrl_c_detaches_and_touches_neither_run_nor_journal(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    lines = lines_until(tmp_path, "interrupted")
    elsewhere = Elsewhere(tmp_path / "state", lines[:-1], interrupt)
    elsewhere.write(20)
    with running(monkeypatch, elsewhere, tmp_path / "state"):
        ran = command("watch")
    assert ran.code == 0
    assert f"detached; 'upgrader watch {RUN}' returns, and the run goes on" in ran.err
    assert elsewhere.path.read_bytes() == b"".join(lines[:-1])


def test_process_that_watches_into_a_pipe_detaches_by_a_signal(tmp_path: Path) -> None:
    """The command itself, beside a process that holds the lock: piped, interrupted once, exit code 0."""
    LongRun(tmp_path).until("interrupted")
    Journal.open(Archive(tmp_path).journal_path("lab", RUN)).append(
        "run-resumed", "2017-08-01T19:00:00+00:00", operator="b"
    )
    words = [sys.executable, "-m", "upgrader", "--state-dir", str(tmp_path), "watch"]
    with Archive(tmp_path).lock("lab", "bob@cfg01"):
        # Whoever runs tests in the background of a shell has them ignore Ctrl-C, and children inherit that.
        heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding)
        try:
            assert process.stdout is not None
            assert f"31 of {TOTAL} steps done" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "detached" in told


def test_watch_without_a_run_takes_the_one_at_work_before_a_newer_one(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_until(tmp_path, "finished")
    elsewhere = Elsewhere(tmp_path / "state", lines)
    newer = elsewhere.path.with_name("20990101T000000Z-0000.jsonl")
    newer.touch()
    os.utime(newer, (1, 1))
    elsewhere.write(10)
    with running(monkeypatch, elsewhere, tmp_path / "state"):
        assert RUN in command("watch").out


def test_no_run_is_usage(command: Command) -> None:
    assert command("watch").code == 2
    assert command("watch", "2099").code == 2


def test_damaged_journal_is_one_sentence(command: Command, tmp_path: Path) -> None:
    path = LongRun(tmp_path / "state").until("refused").path
    path.write_text(path.read_text().replace("clone-fill", "clone-fixx", 1))
    ran = command("watch", RUN)
    assert (ran.code, "restore it from a copy" in ran.err) == (4, True)


def test_tail_reads_whole_lines_only_and_each_once(tmp_path: Path) -> None:
    lines = lines_until(tmp_path, "refused")
    path = tmp_path / "r.jsonl"
    path.write_bytes(lines[0] + lines[1][:10])
    tail = Tail(path)
    assert (tail.look(), tail.look(), len(tail.records)) == (True, False, 1)
    path.write_bytes(b"".join(lines))
    assert tail.look()
    assert tail.records == read_journal(path)


def test_tail_refuses_a_line_that_does_not_fit(tmp_path: Path) -> None:
    lines = lines_until(tmp_path, "refused")
    path = tmp_path / "r.jsonl"
    path.write_bytes(lines[0])
    tail = Tail(path)
    tail.look()
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(InDoubt):
        tail.look()


def test_lines_that_no_disk_could_keep_are_forgotten_and_told_once_when_they_come_again(tmp_path: Path) -> None:
    lines = lines_until(tmp_path, "refused")
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"".join(lines[:6]))
    tail, replay = Tail(path), Replay()
    tail.look()
    before = list(replay.take(tail.records))
    path.write_bytes(b"".join(lines[:4]))
    tail.look()
    assert list(replay.take(tail.records)) == []
    path.write_bytes(b"".join(lines))
    tail.look()
    again = [*before[: len(list(Replay().take(tail.records[:4])))], *replay.take(tail.records)]
    assert shown(again) == shown(list(Replay().take(tail.records)))


def shown(events: list[Event]) -> str:
    """What a pipe would show of these events."""
    text = io.StringIO()
    console = ConsoleObserver(Console(file=text, highlight=False))
    for event in events:
        console.notify(event)
    return text.getvalue()


def test_replay_tells_what_the_engine_told(tmp_path: Path) -> None:
    """Waiting and passing are no lines of the journal; all else is told alike."""
    run = Run(tmp_path, (step("gate", phase="gate"), step("many", spread=Spread(1, 2)), step("last", needs=("many",))))
    run.salt.answer = failing("do.many")
    run.start()
    live = [event for event in run.heard if not isinstance(event, StepPassed)]
    played = list(Replay().take(read_journal(run.path)))
    assert [type(event) for event in played] == [type(event) for event in live]
    assert shown(played) == shown(live)


def test_replay_counts_a_batch_when_its_last_node_has_answered(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("many", spread=Spread(1, 2)),))
    run.start()
    batches = [event for event in Replay().take(read_journal(run.path)) if isinstance(event, BatchFinished)]
    assert [(event.done, event.failed, event.total) for event in batches] == [(1, 0, 2), (2, 0, 2)]


def test_replay_says_for_whom_the_open_step_waits(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.salt.answer = lambda call, node: {"return": {}, "retcode": 0}
    run.start()
    rows = read_journal(run.path)
    open_at = next(number for number, row in enumerate(rows, start=1) if row["event"] == "step-started")
    replay = Replay()
    (opened,) = replay.catch_up(rows[:open_at])
    assert isinstance(opened, StepStarted)
    (waiting,) = replay.waiting("2017-08-01T10:15:30.000+00:00")
    assert (waiting.missing, waiting.seconds) == (("n1", "n2"), 30.0)
    assert any(isinstance(event, StepFinished) for event in replay.take(rows))
    assert replay.waiting("2017-08-01T10:15:30.000+00:00") == ()


def test_replay_knows_every_step_that_is_open_beside_others(tmp_path: Path) -> None:
    run = Run(
        tmp_path, (replace(step("a"), lane="one"), replace(step("b"), lane="two"), replace(step("c"), lane="two"))
    )
    run.salt.answer = lambda call, node: None
    run.start()
    rows, replay = read_journal(run.path), Replay()
    begun = [number for number, row in enumerate(rows, start=1) if row["event"] == "step-started"]
    opened = list(replay.catch_up(rows[: begun[1]]))
    assert [event.step.id for event in opened if isinstance(event, StepStarted)] == ["b", "a"]
    assert [one.step.id for one in replay.waiting("2017-08-01T10:15:30.000+00:00")] == ["b", "a"]
    list(replay.take(rows))
    assert replay.waiting("2017-08-01T10:15:30.000+00:00") == ()


def test_stamp_is_told(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.salt.answer = failing("do.one")
    run.start()
    replay = Replay()
    list(replay.take(read_journal(run.path)))
    Journal.open(run.path).append(
        "step-stamped", "2017-08-01T10:16:00+00:00", step="one", operator="me", reason="by hand"
    )
    (event,) = replay.take(read_journal(run.path))
    assert isinstance(event, StepPassed)
    assert event.why == "stamped by me: by hand"
