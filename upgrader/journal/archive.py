"""Where journals live: ``<state dir>/<cloud>/runs/<run id>.jsonl``, and the lock that keeps runs of one cloud apart."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import InDoubt, Locked, UpgradeError, UsageError
from upgrader.journal.journal import read_journal
from upgrader.journal.owner import read_owner, this_process
from upgrader.journal.progress import FINISHED, RUNNING, STOPPED, RunProgress, read_progress

UNSETTLED = (RUNNING, STOPPED)
OfStage = Callable[[str, str], bool]
"""Says something of a stage, by part and name: the table of stages is not the journals' to know."""


@dataclass(frozen=True)
class Archive:
    """The journals of every cloud below one folder."""

    root: Path

    def runs_dir(self, cloud: str) -> Path:
        """Folder of one cloud's journals."""
        return self.root / cloud / "runs"

    def clouds(self) -> list[str]:
        """Clouds that have journals here."""
        return sorted(path.parent.name for path in self.root.glob("*/runs") if path.is_dir())

    def journal_path(self, cloud: str, run_id: str) -> Path:
        """Where the journal of one run is or will be."""
        return self.runs_dir(cloud) / f"{run_id}.jsonl"

    def paths(self, cloud: str) -> list[Path]:
        """Journals of one cloud, oldest first: run ids begin with the time."""
        return sorted(self.runs_dir(cloud).glob("*.jsonl"))

    def all_paths(self) -> list[Path]:
        """Journals of all clouds, oldest first."""
        return sorted((path for cloud in self.clouds() for path in self.paths(cloud)), key=lambda path: path.stem)

    def newest_first(self, cloud: str) -> Iterator[RunProgress]:
        """The runs of a cloud, one journal at a time. A journal that a crash cut before its first line is passed over."""
        for path in reversed(self.paths(cloud)):
            records = read_journal(path)
            if records:
                yield read_progress(records)

    def last(self, cloud: str) -> RunProgress | None:
        """The newest run of a cloud."""
        return next(self.newest_first(cloud), None)

    def last_change(self, cloud: str, changes_world: OfStage) -> RunProgress | None:
        """The newest run that changes databases or services: a backup taken since must not hide it when it stands half way."""
        return next((run for run in self.newest_first(cloud) if changes_world(run.plan.part, run.stage)), None)

    def last_of(self, cloud: str, part: str, stage: str) -> RunProgress | None:
        """The newest run of one stage."""
        return next((run for run in self.newest_first(cloud) if (run.plan.part, run.stage) == (part, stage)), None)

    def find(self, run_id: str | None) -> RunProgress:
        """The run with this id (a unique beginning is enough); without one, the newest unfinished one, else the newest."""
        if run_id is None:
            return self._current()
        return read_progress(read_journal(self.path_of(run_id)))

    def path_of(self, run_id: str | None) -> Path:
        """The journal of the run with this id (a unique beginning is enough); without one, of the newest run of all clouds."""
        fitting = [path for path in self.all_paths() if path.stem.startswith(run_id or "")]
        begun = [path for path in fitting if path.stat().st_size]
        if run_id is None and begun:
            return begun[-1]
        if run_id is None:
            raise UsageError(f"no run yet in {self.root}; start one with 'upgrader control-plane --stage test-upgrade'")
        if len(fitting) > 1 and run_id not in [path.stem for path in fitting]:
            raise UsageError(f"run id {run_id} fits several runs; give more of it ('upgrader history' lists them)")
        if not fitting:
            raise UsageError(f"no run {run_id} in {self.root}; 'upgrader history' lists them")
        return fitting[0]

    def _current(self) -> RunProgress:
        """What somebody means who names no run. A damaged journal stops only when it is the newest of its cloud."""
        newest = [self.last(cloud) for cloud in self.clouds()]
        if not any(newest):
            raise UsageError(f"no run yet in {self.root}; start one with 'upgrader control-plane --stage test-upgrade'")
        runs, _ = self.history()
        unfinished = [run for run in runs if run.state in UNSETTLED]
        return max(unfinished or runs, key=lambda run: run.started_at)

    def needed_backups(self, cloud: str, keeps_backup: OfStage) -> set[str]:
        """Ids of the backups that must not go: a backup is needed while a run that stands on it may be gone on with, or is
        the newest of its stage that finished.

        ``keeps_backup`` says which stages' runs stand on one. Reads every journal: one that cannot be read is an error,
        because it may be the one that needs a backup.
        """
        needed: set[str] = set()
        finished: set[tuple[str, str]] = set()
        for run in self.newest_first(cloud):
            stage = (run.plan.part, run.stage)
            newest = run.state == FINISHED and stage not in finished
            if keeps_backup(*stage) and (newest or run.state in UNSETTLED):
                needed.update(_receipts(run))
            finished.update({stage} if run.state == FINISHED else ())
        return needed

    def history(self) -> tuple[list[RunProgress], list[str]]:
        """Every run of every cloud, oldest first, and one sentence for each journal that cannot be read."""
        runs: list[RunProgress] = []
        unreadable: list[str] = []
        for path in self.all_paths():
            try:
                records = read_journal(path)
                runs += [read_progress(records)] if records else []
            except UpgradeError as error:
                unreadable.append(str(error))
        return sorted(runs, key=lambda run: run.started_at), unreadable

    def is_locked(self, cloud: str) -> bool:
        """Whether a process works on this cloud right now. Read from what the owner wrote: asking never takes the lock."""
        owner = read_owner(self.root / cloud / "lock")
        return owner is not None and owner.lives()

    def is_worked_on(self, cloud: str, run_id: str) -> bool:
        """Whether a process works on this very run. The lock is the cloud's; whoever holds it writes to one journal, the last written."""
        written = self._last_written(cloud)
        return self.is_locked(cloud) and written is not None and written.stem == run_id

    def at_work(self) -> Path | None:
        """The journal that a process writes to now; of several clouds the one that was written last."""
        written = [path for cloud in self.clouds() if self.is_locked(cloud) and (path := self._last_written(cloud))]
        return max(written, key=_written, default=None)

    def _last_written(self, cloud: str) -> Path | None:
        return max(self.paths(cloud), key=_written, default=None)

    @contextmanager
    def lock(self, cloud: str, operator: str) -> Iterator[None]:
        """One run per cloud. The kernel drops the lock when its owner dies, so a crash never leaves a stale one."""
        path = self.root / cloud / "lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UpgradeError(
                f"lock {path} cannot be opened: {error.strerror}; run as the user who owns {self.root}"
            ) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked(
                    f"cloud {cloud} is locked by {read_owner(path) or 'a process that has just started'}; wait for it, "
                    f"or end it and run 'upgrader resume'"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, this_process(operator).to_json().encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def _written(path: Path) -> tuple[int, str]:
    """When a journal was written last; of two at the same moment the younger one comes later."""
    return path.stat().st_mtime_ns, path.stem


def refuse_unfinished(last: RunProgress | None) -> None:
    """A new run may not begin while an earlier one stands half way: nobody would know what the world looks like."""
    if last is None or last.state not in UNSETTLED:
        return
    step = last.first_unsettled()
    raise InDoubt(
        f"run {last.run_id} ({last.stage}) of cloud {last.plan.cloud} stopped at step {step}; "
        f"go on with 'upgrader resume {last.run_id}', or leave it behind with --restart"
    )


def _receipts(run: RunProgress) -> Iterator[str]:
    """Every backup id in the arguments of a run's steps; a reference to the run stands for the run's own id."""
    for step in run.plan.steps():
        given = step.call.args.get("receipt")
        if isinstance(given, str) and given:
            yield given
        elif isinstance(given, Mapping) and "$run" in given:
            yield run.run_id
