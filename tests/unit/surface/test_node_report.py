"""What status and report say of a run over nodes in batches: who is done, who failed where, what would change, what was lost."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.support.clock import BEGIN, Clock
from tests.support.data_plane import COMPUTES, GATEWAY, TEST_RUN, data_plane_cloud, data_plane_plan, rollout
from tests.support.fleet import Fleet, computes, difference
from tests.support.runs import BAD, GOOD, Run
from upgrader.engine.run import Engine
from upgrader.errors import Interrupted
from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.progress import read_progress
from upgrader.plan.step import Rollout
from upgrader.report import text
from upgrader.report.account.document import report_document
from upgrader.report.account.forms import FORMS
from upgrader.report.console import ConsoleObserver
from upgrader.report.nodes import differences_text
from upgrader.report.status import status_text

NOW = BEGIN + timedelta(seconds=60)
ONE, TWO, THREE, FOUR = COMPUTES
LOST = {
    "comment": "lost",
    "classes": {},
    "paths": [
        {
            "class": "cross-host",
            "name": "vm1 to vm2",
            "sent": 500,
            "lost": 116,
            "gaps": 1,
            "longest_seconds": 2.32,
            "dead_seconds": 0.0,
        },
        {
            "class": "floating-in",
            "name": "fip <198.51.100.7>",
            "sent": 500,
            "lost": 0,
            "gaps": 0,
            "longest_seconds": 0.0,
            "dead_seconds": 4.0,
        },
    ],
}


@pytest.fixture
def broken(tmp_path: Path) -> Run:
    """A run in which one node failed and the budget was used up by it."""
    run = Run(tmp_path)
    run.plan = data_plane_plan("all", rollout())

    def answer(call: Any, node: str) -> Any:
        if call.function == "upgrader_package.upgrade" and node == ONE:
            return BAD
        if call.function == "upgrader_path.stop":
            return {"return": LOST, "retcode": 0}
        return {"return": {"a": {"result": True}}, "retcode": 0} if call.kind == "state" else dict(GOOD)

    run.salt.answer = answer
    run.start()
    return run


def document(run: Run) -> dict[str, Any]:
    return report_document(read_journal(run.path), str(run.path), False)


def test_status_tells_batches_and_each_failed_node_in_a_line(broken: Run) -> None:
    said = status_text(broken.progress(), broken.path, False, NOW)
    rows = {" ".join(line.split()) for line in said.splitlines()}
    assert any("batch 1: cmp001, cmp002 1 done, 1 failed" in row for row in rows)
    assert any("batch 2: cmp003, cmp004 2 waiting" in row for row in rows)
    assert "cmp001 failed at b1-packages: it broke" in rows
    assert "b1-packages" not in {row.split(" ")[1] for row in rows if row[:1].isdigit()}, "its steps are told as one"


def test_node_that_is_worked_on_has_not_failed(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.plan = data_plane_plan("all", rollout())
    run.salt.answer = lambda call, node: (
        {"return": {"a": {"result": True}}, "retcode": 0} if call.kind == "state" else dict(GOOD)
    )
    run.salt.die_after = "upgrader_package.upgrade"
    with pytest.raises(Interrupted):
        run.start()
    said = status_text(run.progress(), run.path, True, NOW)
    assert "2 under way at b1-packages" in said
    assert "failed" not in said


def test_console_tells_the_batches_that_a_resume_passes_in_a_line_each(broken: Run) -> None:
    broken.salt.answer = lambda call, node: (
        {"return": {"a": {"result": True}}, "retcode": 0} if call.kind == "state" else dict(GOOD)
    )
    assert broken.resume().ok
    broken.heard.clear()
    out = StringIO()
    watching = ConsoleObserver(Console(file=out, width=200))
    records = read_journal(broken.path)
    journal = Journal(broken.path, [row for row in records if row["event"] != "run-finished" or row is not records[-1]])
    Engine(journal, broken.salt, broken.clock.now, [watching], clock=broken.clock, pause=broken.clock.pause).resume(
        "me"
    )
    lines = [line for line in out.getvalue().splitlines() if "batch" in line]
    assert [line.split("] ")[1] for line in lines] == [f"batch {n}: done before" for n in (1, 2, 3)]


def test_sentence_offers_to_go_on_or_back(broken: Run) -> None:
    said = text.run_sentence(broken.progress())
    assert "at step b1-packages, which failed: cmp001.lab.local: it broke" in said
    assert "'upgrader resume'" in said and "'upgrader data-plane --stage rollback'" in said


def test_report_has_nodes_loss_by_class_and_the_worst_paths(broken: Run) -> None:
    found = document(broken)
    assert {one["node"]: one["state"] for one in found["nodes"]} == {
        ONE: "failed", TWO: "done", THREE: "waiting", FOUR: "waiting", GATEWAY: "waiting",
    }  # fmt: skip
    assert [(one["node"], one["class"], one["lost"], one["longest_seconds"]) for one in found["losses"]][:2] == [
        (ONE, "cross-host", 116, 2.32),
        (ONE, "floating-in", 0, 0.0),
    ]
    page = FORMS["md"](found)
    assert "| cross-host | all 2 paths | 232 of 1,000 | 2.32 | cmp001 |" in page
    assert "At the end 2 did not answer" in page
    assert "1 of 5 nodes are done, 1 failed." in page


def test_names_from_nodes_are_escaped_on_the_page(broken: Run) -> None:
    assert "<198.51.100.7>" not in FORMS["html"](document(broken))


def test_report_of_a_test_shows_differences_once_for_all_nodes_that_share_them(tmp_path: Path) -> None:
    nodes = computes(300)
    clock = Clock()
    path = tmp_path / "r.jsonl"
    plan = data_plane_plan("test", Rollout(nodes, nodes), data_plane_cloud(nodes, ()))
    assert (
        Engine(Journal.create(path), Fleet(clock), clock.now, clock=clock, pause=clock.pause).start(plan, "r", "me").ok
    )
    records = read_journal(path)
    found = report_document(records, str(path), False)
    assert sorted(len(one["nodes"]) for one in found["differences"]) == [100, 100, 100]
    shown = differences_text(read_progress(records))
    assert shown.count("60 packages, 7.2 MB each") == 3
    assert len(shown.splitlines()) < 200
    assert "Package difference" in FORMS["md"](found)


def test_thousand_computes_of_which_two_in_a_hundred_fail_stay_readable(tmp_path: Path) -> None:
    """Lines of status and of the sentence, however many nodes and steps there are. How fast it is: benchmarks/data_plane.py."""
    nodes = computes(1000)
    digests = {node: str(difference(node)["digest"]) for node in nodes}
    given = Rollout(nodes, nodes, digests, dict.fromkeys(nodes, TEST_RUN), 50, "5%")
    clock, path = Clock(), tmp_path / "r.jsonl"
    salt = Fleet(clock)
    plan = data_plane_plan("all", given, data_plane_cloud(nodes, ()))
    outcome = Engine(Journal.create(path), salt, clock.now, clock=clock, pause=clock.pause).start(plan, "r", "me")
    run = read_progress(read_journal(path))
    bad = [node for node in nodes if salt.is_bad(node)]
    assert not outcome.ok and 10 < len(bad) < 40
    assert {node for _, asked in salt.asked for node in asked} >= set(nodes), "the budget was not used up"
    assert len(status_text(run, path, False, NOW).splitlines()) < 60
    assert len(text.run_sentence(run)) < 3000
    salt.mended = True
    salt.asked.clear()
    assert Engine(Journal.open(path), salt, clock.now, clock=clock, pause=clock.pause).resume("me").ok
    assert {node for function, ones in salt.asked if function == "upgrader_package.upgrade" for node in ones} == set(
        bad
    )
