"""Where journals live: ``<state dir>/<cloud>/runs/<run id>.jsonl``, and the lock that keeps runs of one cloud apart."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from upgrader.errors import InDoubt, Locked, UpgradeError, UsageError
from upgrader.journal.journal import read_journal
from upgrader.journal.progress import RunProgress, read_progress

DEFAULT_STATE_DIR = Path("/var/lib/upgrader")


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

    def last(self, cloud: str) -> RunProgress | None:
        """The newest run of a cloud. A journal that a crash cut before its first line says nothing and is passed over."""
        for path in reversed(self.paths(cloud)):
            records = read_journal(path)
            if records:
                return read_progress(records)
        return None

    def find(self, run_id: str | None) -> RunProgress:
        """The run with this id (a unique beginning is enough), or the newest of all clouds. Reads no other journal."""
        if run_id is None:
            newest = [run for cloud in self.clouds() if (run := self.last(cloud))]
            if newest:
                return max(newest, key=lambda run: run.started_at)
            raise UsageError(f"no run yet in {self.root}; start one with 'upgrader control-plane --stage test-upgrade'")
        fitting = [path for cloud in self.clouds() for path in self.paths(cloud) if path.stem.startswith(run_id)]
        if len(fitting) > 1:
            raise UsageError(f"run id {run_id} fits several runs; give more of it ('upgrader history' lists them)")
        if not fitting:
            raise UsageError(f"no run {run_id} in {self.root}; 'upgrader history' lists them")
        return read_progress(read_journal(fitting[0]))

    def history(self) -> tuple[list[RunProgress], list[str]]:
        """Every run of every cloud, oldest first, and one sentence for each journal that cannot be read."""
        runs: list[RunProgress] = []
        unreadable: list[str] = []
        for path in [path for cloud in self.clouds() for path in self.paths(cloud)]:
            try:
                records = read_journal(path)
                runs += [read_progress(records)] if records else []
            except UpgradeError as error:
                unreadable.append(str(error))
        return sorted(runs, key=lambda run: run.started_at), unreadable

    def is_locked(self, cloud: str) -> bool:
        """Whether a process works on this cloud right now."""
        try:
            descriptor = os.open(self.root / cloud / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

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
                    f"cloud {cloud} is locked by {_owner(path)}; wait for it, or end it and run 'upgrader resume'"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "operator": operator}).encode(), 0)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} of {owner['operator']}"
    except (ValueError, KeyError, OSError):
        return "a process that has just started"


def refuse_unfinished(last: RunProgress | None) -> None:
    """A new run may not begin while an earlier one stands half way: nobody would know what the world looks like."""
    if last is None or last.state not in ("unfinished", "failed"):
        return
    step = last.first_unsettled()
    raise InDoubt(
        f"run {last.run_id} ({last.stage}) of cloud {last.plan.cloud} stopped at step {step}; "
        f"go on with 'upgrader resume', or leave it behind with --restart"
    )
