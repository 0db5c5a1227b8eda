"""Who works on a cloud is read, never tried: asking keeps nobody out."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from upgrader.errors import InDoubt, Locked, UpgradeError, UsageError
from upgrader.journal.archive import Archive, refuse_unfinished
from upgrader.journal.journal import Journal
from upgrader.journal.owner import Owner, read_owner, this_process
from upgrader.plan.stages import changes_world, keeps_backup
from upgrader.plan.step import Call, Plan, Stage, Step

HOLDER = """
import sys, time
from pathlib import Path
from upgrader.journal.archive import Archive
with Archive(Path(sys.argv[1])).lock("lab", "bob@cfg01"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def holder(archive: Archive) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'formulas/_utils'}"}
    words = [sys.executable, "-c", HOLDER, str(archive.root)]
    process = subprocess.Popen(words, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_cloud_is_locked_while_a_process_holds_it_and_only_then(archive: Archive) -> None:
    assert not archive.is_locked("lab")
    with archive.lock("lab", "me"):
        assert archive.is_locked("lab")
        assert not archive.is_locked("other")
    assert not archive.is_locked("lab")


def test_another_process_that_holds_the_cloud_is_named_and_one_that_was_killed_is_not(archive: Archive) -> None:
    with holder(archive) as process:
        assert archive.is_locked("lab")
        with pytest.raises(Locked, match=f"cloud lab is locked by process {process.pid} of bob@cfg01"):
            archive.lock("lab", "me").__enter__()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert (archive.root / "lab/lock").read_text()
        assert not archive.is_locked("lab"), "a process that has ended and was not asked for holds nothing"
    assert not archive.is_locked("lab")
    with archive.lock("lab", "me"):
        assert archive.is_locked("lab")


def test_number_of_a_killed_owner_that_another_process_was_given_is_no_lock(archive: Archive) -> None:
    path = archive.root / "lab/lock"
    path.parent.mkdir(parents=True)
    path.write_text(Owner(os.getpid(), "me", "1").to_json())
    assert not archive.is_locked("lab")
    path.write_text(this_process("me").to_json())
    assert archive.is_locked("lab")


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"pid": "x", "operator": "me"}', '{"pid": 1}'])
def test_record_that_cannot_be_read_is_nobody(archive: Archive, content: str) -> None:
    path = archive.root / "lab/lock"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert read_owner(path) is None
    assert not archive.is_locked("lab")


def test_asking_never_keeps_a_command_out(archive: Archive) -> None:
    end, asked = threading.Event(), [0]

    def ask() -> None:
        while not end.is_set():
            archive.is_locked("lab")
            asked[0] += 1

    askers = [threading.Thread(target=ask) for _ in range(2)]
    with archive.lock("lab", "me"):
        pass
    for asker in askers:
        asker.start()
    try:
        for _ in range(300):
            with archive.lock("lab", "me"):
                pass
    finally:
        end.set()
        for asker in askers:
            asker.join()
    assert asked[0] > 100


def test_asking_takes_no_lock_at_all(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with archive.lock("lab", "me"):
        pass
    monkeypatch.setattr(fcntl, "flock", lambda *words: pytest.fail("a lock was asked for"))
    assert not archive.is_locked("lab")


def test_lock_that_just_began_to_be_held_is_refused_without_a_name(archive: Archive) -> None:
    with archive.lock("lab", "me"):
        (archive.root / "lab/lock").write_text("")
        with pytest.raises(Locked, match="locked by a process that has just started"):
            archive.lock("lab", "you").__enter__()


def test_owner_is_written_down_with_when_its_process_began(archive: Archive) -> None:
    with archive.lock("lab", "me"):
        record = json.loads((archive.root / "lab/lock").read_text())
    assert (record["pid"], record["operator"]) == (os.getpid(), "me")
    assert int(record["born"]) > 0


def test_lock_that_cannot_be_opened_is_told(archive: Archive) -> None:
    (archive.root / "lab").write_text("a file, not a folder")
    with pytest.raises(UpgradeError, match="cannot be opened"):
        archive.lock("lab", "me").__enter__()


def write(
    archive: Archive, run_id: str, cloud: str = "lab", part: str = "control-plane", stage: str = "test-upgrade",
    state: str = "finished", at: str = "", receipt: Any = None,
) -> None:  # fmt: skip
    """A journal of one step, ended as asked; it began at its id's time unless another one is given."""
    call = Call("module", "do.it", ("n1",), {} if receipt is None else {"receipt": receipt})
    plan = Plan(cloud, "mitaka", "ocata", part, (Stage(stage, "t", (Step("one", "one", call),)),))
    journal = Journal.create(archive.journal_path(cloud, run_id))
    more: dict[str, Any] = {"run": run_id, "plan": plan.to_json(), "digest": plan.digest, "operator": "me"}
    journal.append("run-started", at or run_id, **more)
    if state in ("finished", "failed"):
        ok = state == "finished"
        if ok:
            journal.append("step-stamped", "t", step="one", reason="by hand")
        journal.append("run-finished", "t", ok=ok, failed=[], reason="", refused=False)
    elif state == "abandoned":
        journal.append("run-abandoned", "t", operator="me", reason="left behind")


def test_run_is_named_by_the_beginning_of_its_id_if_that_fits_only_one(archive: Archive) -> None:
    for run_id in ("20170801T1", "20170801T2", "20170902T1"):
        write(archive, run_id)
    assert archive.find("201709").run_id == "20170902T1"
    with pytest.raises(UsageError, match="run id 20170801 fits several runs; give more of it"):
        archive.find("20170801")
    with pytest.raises(UsageError, match=r"no run 2018 in .*'upgrader history' lists them"):
        archive.find("2018")


def test_run_is_looked_for_in_every_cloud(archive: Archive) -> None:
    write(archive, "1", cloud="lab")
    write(archive, "2", cloud="other")
    assert archive.clouds() == ["lab", "other"]
    assert archive.find("2").plan.cloud == "other"


def test_who_names_no_run_means_the_newest_unfinished_one_of_any_cloud(archive: Archive) -> None:
    write(archive, "1", cloud="lab", state="failed")
    write(archive, "2", cloud="other", state="unfinished")
    write(archive, "3", cloud="lab")
    write(archive, "4", cloud="lab", state="abandoned")
    assert archive.find(None).run_id == "2"


def test_who_names_no_run_when_all_have_ended_means_the_newest(archive: Archive) -> None:
    write(archive, "1", cloud="other")
    write(archive, "2", cloud="lab")
    assert archive.find(None).run_id == "2"


def test_no_run_at_all_is_told_with_how_to_start_one(archive: Archive) -> None:
    with pytest.raises(
        UsageError, match=r"no run yet in .*; start one with 'upgrader control-plane --stage test-upgrade'"
    ):
        archive.find(None)


def test_damaged_newest_journal_stops_whoever_names_no_run(archive: Archive) -> None:
    write(archive, "1")
    write(archive, "2")
    path = archive.journal_path("lab", "2")
    path.write_text(path.read_text().replace("mitaka", "liberty"))
    with pytest.raises(InDoubt, match="line 1"):
        archive.find(None)


def test_history_is_oldest_first_and_names_what_cannot_be_read(archive: Archive) -> None:
    write(archive, "a", at="2017-03")
    write(archive, "b", at="2017-01", cloud="other")
    write(archive, "c", at="2017-02")
    archive.journal_path("lab", "d").write_text("")
    archive.journal_path("lab", "e").write_text("garbage\n")
    runs, unreadable = archive.history()
    assert [run.run_id for run in runs] == ["b", "c", "a"]
    assert len(unreadable) == 1
    assert "e.jsonl: line 1 is not JSON" in unreadable[0]


def test_last_runs_are_told_apart_by_stage_and_by_whether_they_change_the_world(archive: Archive) -> None:
    assert (
        archive.last("lab"),
        archive.last_change("lab", changes_world),
        archive.last_of("lab", "backup", "create"),
    ) == (None,) * 3
    write(archive, "1")
    write(archive, "2", part="backup", stage="restore", receipt="x")
    write(archive, "3", part="backup", stage="create")
    write(archive, "4", part="backup", stage="place", receipt="x")
    write(archive, "9", cloud="other")
    archive.journal_path("lab", "5").write_text("")
    last, change = archive.last("lab"), archive.last_change("lab", changes_world)
    assert last is not None
    assert last.run_id == "4"
    assert change is not None
    assert change.run_id == "2"
    for part, stage, wanted in (
        ("backup", "create", "3"),
        ("control-plane", "test-upgrade", "1"),
        ("backup", "place", "4"),
    ):
        of_stage = archive.last_of("lab", part, stage)
        assert of_stage is not None
        assert of_stage.run_id == wanted
    assert archive.last_of("lab", "control-plane", "restore") is None


def test_backups_that_runs_stand_on_are_their_own_and_those_they_were_given(archive: Archive) -> None:
    write(archive, "1", receipt={"$run": "id"})
    write(archive, "3", part="backup", stage="create", receipt={"$run": "id"})
    write(archive, "4", part="backup", stage="prove", receipt="proven")
    write(archive, "5", part="backup", stage="restore", receipt={"$reply": "one", "key": "receipt"})
    write(archive, "6", part="backup", stage="restore", receipt="")
    write(archive, "61", part="backup", stage="restore", receipt="given")
    write(archive, "7", cloud="other", receipt={"$run": "id"})
    assert archive.needed_backups("lab", keeps_backup) == {"1", "given"}
    write(archive, "8", state="abandoned", receipt={"$run": "id"})
    write(archive, "9", state="failed", receipt={"$run": "id"})
    assert archive.needed_backups("lab", keeps_backup) == {"1", "9", "given"}


@pytest.mark.parametrize("state", ["failed", "unfinished"])
def test_run_that_stands_half_way_is_in_the_way_of_a_new_one(archive: Archive, state: str) -> None:
    write(archive, "1", state=state)
    with pytest.raises(
        InDoubt, match=r"run 1 \(test-upgrade\) of cloud lab stopped at step one; go on with 'upgrader resume 1'"
    ):
        refuse_unfinished(archive.last("lab"))


@pytest.mark.parametrize("state", ["finished", "abandoned"])
def test_run_that_has_ended_is_not_in_the_way(archive: Archive, state: str) -> None:
    refuse_unfinished(None)
    write(archive, "1", state=state)
    refuse_unfinished(archive.last("lab"))


def test_state_directory_and_lock_are_the_owners_only(archive: Archive, tmp_path: Path) -> None:
    deep = Archive(tmp_path / "var/upgrader")
    with deep.lock("lab", "me"):
        assert (deep.root / "lab").stat().st_mode & 0o077 == 0
        assert (deep.root / "lab/lock").stat().st_mode & 0o777 == 0o600


def test_lock_is_let_go_of_when_the_command_fails(archive: Archive) -> None:
    with pytest.raises(ZeroDivisionError), archive.lock("lab", "me"):
        raise ZeroDivisionError
    assert not archive.is_locked("lab"), "the process lives on and holds nothing"
    with archive.lock("lab", "me"):
        assert archive.is_locked("lab")


def test_process_is_known_by_when_it_began_whatever_its_name_is(archive: Archive) -> None:
    """By another door: the kernel's ticks since boot cannot be later than now, and a bracket in the name moves no field."""
    before, name = this_process("me"), Path("/proc/self/comm")
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert 0 < int(before.born) / os.sysconf("SC_CLK_TCK") <= uptime
    kept = name.read_text().strip()
    try:
        name.write_text("a) R 1 (b")
        assert this_process("me") == before
        assert before.lives()
    finally:
        name.write_text(kept)


def test_owner_of_an_earlier_version_that_wrote_no_birth_is_named_but_not_taken_to_live(archive: Archive) -> None:
    path = archive.root / "lab/lock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"pid": os.getpid(), "operator": "me"}))
    owner = read_owner(path)
    assert str(owner) == f"process {os.getpid()} of me"
    assert owner == Owner(os.getpid(), "me", "")
    assert not archive.is_locked("lab")
