"""Journals as the page reads them: without a lock, each line once, and of runs that have ended only what a list needs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from upgrader.engine.events import StepWaiting
from upgrader.errors import InDoubt, UpgradeError
from upgrader.journal.archive import Archive
from upgrader.journal.journal import Record, read_journal
from upgrader.journal.progress import RUNNING, RunProgress, read_progress
from upgrader.journal.step_fold import SETTLED
from upgrader.journal.tail import Tail
from upgrader.report.replay import Replay

MOST_RUNS = 200
"""Journals of one cloud that are read, the newest ones."""
FOLLOWED = 6
"""Runs whose lines are kept in memory, those that were looked at last."""
AT_WORK = "running"


@dataclass(frozen=True)
class Look:
    """One look at a run. ``waiting`` are its open steps where a process works on it, ``since`` when each began."""

    run: RunProgress
    rows: Sequence[Record]
    path: Path
    at_work: bool
    waiting: tuple[StepWaiting, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> tuple[str, str, bool]:
        """The same for two looks between which nothing happened: the last line's hash covers all before it."""
        return str(self.path), self.rows[-1]["hash"], self.at_work


@dataclass(frozen=True)
class Summary:
    """A run in one line. ``state`` is the journal's, or ``running`` where a process works on it now."""

    run: str
    cloud: str
    part: str
    stage: str
    state: str
    started_at: str
    last_at: str
    operator: str
    digest: str
    settled: int
    total: int


class Followed:
    """One journal that may still grow."""

    def __init__(self, path: Path) -> None:
        self._tail, self._replay, self._last = Tail(path), Replay(), ""

    @property
    def rows(self) -> Sequence[Record]:
        """The lines, as far as they were looked at."""
        return self._tail.records

    def look(self) -> Replay:
        """What the lines say by now. Raises InDoubt for a journal without a line, or with one that does not fit."""
        known = len(self._tail.records)
        if self._tail.look():
            records = self._tail.records
            if known and (len(records) < known or records[known - 1]["hash"] != self._last):
                self._replay = Replay()  # lines that no disk could keep were cut off again
            for _ in self._replay.catch_up(records):
                pass
            self._last = records[-1]["hash"]
        if self._replay.run is None:
            raise InDoubt(f"journal {self._tail.path} holds no line: the run was cut off before anything was done")
        return self._replay


class Journals:
    """All journals below one folder. Not for two threads at once."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._followed: OrderedDict[Path, Followed] = OrderedDict()
        self._told: dict[Path, tuple[tuple[int, int], Summary | str]] = {}

    def look(self, run: str, now: str) -> Look:
        """The run with this id (a unique beginning is enough). Raises UsageError for one that is not there."""
        path = self.archive.path_of(run)
        followed = self._follow(path)
        found = followed.look()
        assert found.run is not None
        at_work = found.run.state == RUNNING and self.archive.is_worked_on(path.parents[1].name, path.stem)
        waiting = found.waiting(now) if at_work else ()
        since = {one.step.id: found.since(one.step.id) for one in waiting}
        return Look(found.run, followed.rows, path, at_work, waiting, since)

    def of(self, cloud: str) -> tuple[list[Summary], list[str]]:
        """The newest runs of a cloud, newest first, and one sentence for each journal that cannot be read."""
        told = [self._tell(path) for path in reversed(self.archive.paths(cloud)[-MOST_RUNS:])]
        return [one for one in told if isinstance(one, Summary)], [one for one in told if isinstance(one, str) and one]

    def _follow(self, path: Path) -> Followed:
        followed = self._followed.pop(path, None) or Followed(path)
        self._followed[path] = followed
        while len(self._followed) > FOLLOWED:
            self._followed.popitem(last=False)
        return followed

    def _tell(self, path: Path) -> Summary | str:
        """A run in one line; a sentence where its journal cannot be read, an empty one before its first line."""
        try:
            there = path.stat()
            stamp = (there.st_size, there.st_mtime_ns)
            held = self._told.get(path)
            told = held[1] if held and held[0] == stamp else self._read(path)
        except OSError as error:
            return f"journal {path} cannot be read: {error.strerror}"
        except UpgradeError as error:
            told = str(error)
        self._told[path] = (stamp, told)
        if isinstance(told, Summary) and told.state == RUNNING and self.archive.is_worked_on(told.cloud, told.run):
            return Summary(**{**vars(told), "state": AT_WORK})
        return told

    def _read(self, path: Path) -> Summary | str:
        """The run that is followed has its lines in memory already, and one at work is followed."""
        if path in self._followed or self.archive.is_worked_on(path.parents[1].name, path.stem):
            if not path.stat().st_size:
                return ""
            run = self._follow(path).look().run
            assert run is not None
            return _summary(run)
        records = read_journal(path)
        return _summary(read_progress(records)) if records else ""


def _summary(run: RunProgress) -> Summary:
    return Summary(
        run.run_id, run.plan.cloud, run.plan.part, run.stage, run.state, run.started_at, run.last_at, run.operator, run.digest,
        _settled(run), len(run.steps),
    )  # fmt: skip


def _settled(run: RunProgress) -> int:
    return sum(step.state in SETTLED for step in run.steps.values())


def newest_of(summaries: Sequence[Summary], part: str, stage: str) -> Summary | None:
    """The newest run of a stage, of those that are newest first."""
    return next((one for one in summaries if (one.part, one.stage) == (part, stage)), None)
