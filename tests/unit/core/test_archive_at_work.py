"""Which journal a process writes to now: the one of whoever holds the cloud, and of several clouds the last written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.core.test_archive import write
from upgrader.errors import UsageError
from upgrader.journal.archive import Archive
from upgrader.plan.stages import keeps_backup


def written(archive: Archive, cloud: str, run_id: str, at: int) -> Path:
    path = archive.journal_path(cloud, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    os.utime(path, ns=(at, at))
    return path


def test_journal_that_is_written_to_is_the_last_written_of_the_clouds_that_are_held(tmp_path: Path) -> None:
    """Neither the cloud's name nor the run's id decides: a run that was taken up again has an old id."""
    archive = Archive(tmp_path)
    resumed = written(archive, "a", "1", at=3_000)
    written(archive, "a", "9", at=1_000)
    other = written(archive, "b", "5", at=2_000)
    written(archive, "c", "7", at=4_000)
    assert archive.at_work() is None
    with archive.lock("b", "me"):
        assert archive.at_work() == other
        with archive.lock("a", "me"):
            assert archive.at_work() == resumed
            assert archive.is_worked_on("a", "1") and not archive.is_worked_on("a", "9")


def test_of_two_journals_written_at_the_same_moment_the_younger_run_is_at_work(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    written(archive, "a", "1", at=1_000)
    younger = written(archive, "a", "2", at=1_000)
    with archive.lock("a", "me"):
        assert archive.at_work() == younger


def test_who_names_no_run_to_watch_means_the_youngest_of_all_clouds_that_has_begun(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with pytest.raises(UsageError, match=r"no run yet in .*; start one with 'upgrader control-plane --stage test-up"):
        archive.path_of(None)
    written(archive, "b", "1", at=9_000)
    youngest = written(archive, "a", "3", at=1_000)
    written(archive, "b", "2", at=5_000)
    written(archive, "b", "4", at=7_000).write_text("")
    assert archive.path_of(None) == youngest
    assert [path.stem for path in archive.all_paths()] == ["1", "2", "3", "4"]


def test_backup_of_a_finished_run_may_go_when_a_younger_one_of_its_stage_has_finished(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for run in ("1", "2"):
        write(archive, run, receipt={"$run": "id"})
    write(archive, "3", state="failed", receipt={"$run": "id"})
    assert archive.needed_backups("lab", keeps_backup) == {"2", "3"}
