"""Approvals and plans as they lie in their folder: who may read them, by how much of a digest they are found, and what is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from upgrader.errors import Refused, UpgradeError, UsageError, Waiting
from upgrader.journal.approvals import APPROVED, EXPIRED, WAITING, Approvals
from upgrader.journal.plans import Shelf
from upgrader.plan.step import Facts, Plan, Stage

NOW, UNTIL, LATER = "2017-08-01T10:00:00.000+00:00", "2017-08-01T12:00:00.000+00:00", "2017-08-01T12:00:00.001+00:00"
REAL = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("real-upgrade", "t", ()),))
OTHER = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("finish", "t", ()),), Facts(modules="other"))


@pytest.fixture
def approvals(tmp_path: Path) -> Approvals:
    return Approvals(tmp_path / "var/upgrader")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A shell that hides nothing by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


def ask(approvals: Approvals, plan: Plan = REAL) -> None:
    approvals.ask(plan, "bob", NOW, 7200)


def test_folder_file_and_lock_are_the_owners_only(approvals: Approvals, open_umask: None) -> None:
    ask(approvals)
    assert approvals.decide(REAL.digest, APPROVED, "alice", NOW).reason == ""
    folder = approvals.root / "lab/approvals"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert approvals.path(REAL).is_file()


def test_who_waits_is_told_what_for_and_until_when(approvals: Approvals) -> None:
    ask(approvals)
    with pytest.raises(Waiting) as told:
        approvals.require(REAL, NOW)
    short = REAL.digest[:12]
    assert str(told.value) == (
        f"plan {short} (control-plane real-upgrade of cloud lab) waits for approval until {UNTIL}: "
        f"'upgrader approve {short}', then 'upgrader apply {short}'"
    )


def test_it_may_be_decided_through_its_last_moment_and_then_has_to_be_asked_for_anew(approvals: Approvals) -> None:
    ask(approvals)
    assert approvals.find(REAL.digest).state(UNTIL) == WAITING
    assert approvals.find(REAL.digest).state(LATER) == EXPIRED
    with pytest.raises(Refused) as told:
        approvals.decide(REAL.digest, APPROVED, "alice", LATER)
    assert str(told.value) == f"plan {REAL.digest[:12]} could be approved until {UNTIL}: ask again with --wait"


def test_six_digits_name_an_approval_and_five_do_not(approvals: Approvals) -> None:
    ask(approvals)
    assert approvals.find(REAL.digest[:6]).digest == REAL.digest
    with pytest.raises(UsageError):
        approvals.find(REAL.digest[:5])


def test_digest_that_fits_nothing_is_answered_with_what_was_asked_for(approvals: Approvals) -> None:
    with pytest.raises(UsageError, match=r"0123456 is no plan that waits for approval \(asked for: none\)"):
        approvals.find("0123456")
    ask(approvals)
    ask(approvals, OTHER)
    known = ", ".join(sorted((REAL.digest[:12], OTHER.digest[:12])))
    with pytest.raises(UsageError, match=rf"\(asked for: {known}\); 'upgrader control-plane --wait' asks"):
        approvals.find("0123456")


def test_file_that_cannot_be_read_is_told_with_why_and_hides_no_other(approvals: Approvals) -> None:
    ask(approvals)
    ask(approvals, OTHER)
    approvals.path(OTHER).write_text("garbage")
    asked, unreadable = approvals.of("lab")
    assert [one.digest for one in asked] == [REAL.digest]
    assert unreadable == [f"approval {approvals.path(OTHER)} cannot be read (JSONDecodeError): ask again with --wait"]


def test_approval_that_cannot_be_written_is_told_with_whom_to_run_as(approvals: Approvals) -> None:
    approvals.root.mkdir(parents=True)
    (approvals.root / "lab").write_text("a file, not a folder")
    with pytest.raises(UpgradeError) as told:
        ask(approvals)
    assert str(told.value) == (
        f"approval {approvals.path(REAL)} cannot be written: Not a directory; run as the user who owns {approvals.root}"
    )


def test_plan_that_cannot_be_kept_is_told_with_whom_to_run_as(tmp_path: Path) -> None:
    (tmp_path / "lab").write_text("a file, not a folder")
    with pytest.raises(UpgradeError) as told:
        Shelf(tmp_path).keep("lab", "a" * 64, "text")
    assert str(told.value) == (
        f"the plan cannot be kept in {tmp_path}/lab/plans: Not a directory; run as the user who owns {tmp_path}"
    )


def test_folder_of_kept_plans_is_the_owners_only(tmp_path: Path, open_umask: None) -> None:
    Shelf(tmp_path / "var").keep("lab", "a" * 64, "text")
    assert (tmp_path / "var/lab/plans").stat().st_mode & 0o777 == 0o700


def test_kept_plan_is_found_by_six_digits_unless_they_fit_several(tmp_path: Path) -> None:
    shelf, first, second = Shelf(tmp_path), "abcdef1" + "0" * 57, "abcdef2" + "0" * 57
    with pytest.raises(UsageError, match=r"is neither a file nor the digest of a plan that is kept \(kept: none;"):
        shelf.find("abcdef")
    shelf.keep("lab", first, "the first")
    assert shelf.find("abcdef") == "the first"
    shelf.keep("other", second, "the second")
    assert shelf.find("abcdef2") == "the second"
    with pytest.raises(UsageError) as told:
        shelf.find("abcdef")
    assert str(told.value) == (
        "abcdef fits several plans (kept: abcdef100000, abcdef200000; the newest 20 of a cloud): "
        "make the plan again with 'upgrader plan'"
    )
