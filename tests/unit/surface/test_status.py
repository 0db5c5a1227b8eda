"""``upgrader status`` on one screen: what runs on which node since when, what is next, what to type, and the steps around it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import BEGIN
from tests.support.lanes import SlowRun
from tests.support.runs import BAD, GOOD, Run, step
from upgrader.errors import Interrupted
from upgrader.report.status import status_text

STEPS = tuple(step(f"s{number}") for number in range(60))
SCREEN = 24


@pytest.fixture
def cut(tmp_path: Path) -> Run:
    """Twenty steps done, one submitted, and the command gone."""
    run = Run(tmp_path, STEPS)
    run.salt.die_after = "do.s20"
    with pytest.raises(Interrupted):
        run.start()
    return run


def shown(run: Run, locked: bool, whole: bool = False) -> str:
    return status_text(run.progress(), run.path, locked, BEGIN + timedelta(seconds=90), whole)


def test_step_that_is_worked_on_runs_and_is_not_in_doubt(cut: Run) -> None:
    said = shown(cut, locked=True)
    assert "in doubt" not in said and "cut off" not in said and "upgrader resume" not in said
    assert "a process is working on it now" in said
    (row,) = [line for line in said.splitlines() if line.split()[:2] == ["21", "s20"]]
    assert row.split()[2] == "runs"


def test_screen_says_where_since_when_what_is_next_and_what_to_type(cut: Run) -> None:
    lines = shown(cut, locked=True).splitlines()
    (now,) = [line for line in lines if line.startswith("now: ")]
    began = next(row["at"] for row in cut.rows("step-started") if row["step"] == "s20")
    assert "s20 on n1, n2" in now and f"since {began[11:19]} UTC" in now
    assert any(line.startswith("next: ") and line.endswith("(s21)") for line in lines)
    assert any(line == f"type: upgrader watch {cut.progress().run_id}" for line in lines)


def test_what_is_next_is_not_a_step_behind_one_that_failed(tmp_path: Path) -> None:
    run = Run(
        tmp_path, (step("bad"), step("behind", needs=("bad",)), step("now", needs=()), step("then", needs=("now",)))
    )
    run.salt.answer = lambda call, node: dict(BAD if call.function == "do.bad" else GOOD)
    run.salt.die_after = "do.now"
    with pytest.raises(Interrupted):
        run.start()
    assert next(line for line in shown(run, locked=True).splitlines() if line.startswith("next: ")).endswith("(then)")


def test_nobody_works_on_it_and_the_step_is_in_doubt(cut: Run) -> None:
    said = shown(cut, locked=False)
    assert "at step s20, which is in doubt" in said and "no process is working on it" in said
    assert "\nnow: " not in said


@pytest.mark.parametrize("locked", [True, False])
def test_long_run_fits_a_screen_and_all_steps_are_shown_on_demand(cut: Run, locked: bool) -> None:
    short, whole = shown(cut, locked), shown(cut, locked, whole=True)
    assert len(short.splitlines()) <= SCREEN
    assert "18 done" in short and "36 pending" in short
    assert "upgrader status --all" in short and "upgrader status --all" not in whole
    assert sum(line.split()[0].isdigit() for line in whole.splitlines() if line.strip()) == len(STEPS)


def test_every_step_that_failed_is_on_the_screen(tmp_path: Path) -> None:
    run = Run(tmp_path, STEPS)
    run.salt.answer = lambda call, node: dict(BAD if call.function in ("do.s3", "do.s50") else GOOD)
    run.start()
    rows = [line.split()[1:3] for line in shown(run, locked=False).splitlines() if line[:3].strip().isdigit()]
    assert ["s3", "failed"] in rows and ["s50", "failed"] in rows


def test_step_of_a_journal_without_times_is_shown_without_them(cut: Run) -> None:
    run = cut.progress()
    run.steps["s20"].__dict__["begun_at"] = "some time ago"
    assert "since" not in status_text(run, cut.path, True, BEGIN)


def test_every_step_of_lanes_beside_each_other_is_named(tmp_path: Path) -> None:
    run = SlowRun(tmp_path, {"do.k1": 50.0, "do.g1": 1.0, "do.h1": 50.0})
    run.salt.die_after = "do.g2"
    with pytest.raises(Interrupted):
        run.start()
    lines = shown(run, locked=True).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("now: ")] == ["k1", "g2", "h1"]
    assert next(line for line in lines if line.startswith("next: ")).endswith("(k2)")
