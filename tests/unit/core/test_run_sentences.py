"""What an operator is told of a run that stopped: every fault, where it is mended, and which command comes next."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.support.clock import BEGIN
from tests.support.lanes import SlowRun
from tests.support.runs import BAD, GOOD, Run, step
from upgrader.engine.results import reason_of
from upgrader.errors import Interrupted
from upgrader.journal.journal import Journal
from upgrader.plan.step import ANEW, COPY, GATE, Call, Spread, Step
from upgrader.report.console import ConsoleObserver
from upgrader.report.document import run_document
from upgrader.report.status import status_text
from upgrader.report.text import run_sentence
from upgrader.transport.reply import Reply

NOW = BEGIN + timedelta(seconds=60)
STEPS = (
    step("gate", phase=GATE, anew=True),
    step("disk"),
    step("rows", mends=COPY),
    step("more", needs=("rows",)),
    step("end", needs=("more", "disk")),
)


def ended(folder: Path, *wrong: str, steps: tuple[Step, ...] = STEPS) -> Run:
    run = Run(folder, steps)
    run.salt.answer = lambda call, node: dict(BAD if call.function.removeprefix("do.") in wrong else GOOD)
    run.start()
    return run


def test_fault_of_the_copy_is_mended_in_the_live_database_and_begun_anew(tmp_path: Path) -> None:
    sentence = run_sentence(ended(tmp_path, "rows").progress())
    assert sentence.startswith(
        "run r (s of cloud lab): 2 of 5 steps done, at step rows, which failed: n1: it broke; n2: it broke; "
        "2 steps were not reached; "
    )
    assert "mend them in the live database, then 'upgrader control-plane --stage s --restart'" in sentence
    assert "('upgrader resume' would meet the same rows" in sentence


def test_fault_of_a_node_is_mended_there_and_the_run_goes_on(tmp_path: Path) -> None:
    sentence = run_sentence(ended(tmp_path, "disk").progress())
    assert sentence.endswith("1 step was not reached; mend it there, then 'upgrader resume'")
    assert "--restart" not in sentence


def test_fault_that_stays_counted_is_mended_there_and_begun_anew(tmp_path: Path) -> None:
    sentence = run_sentence(ended(tmp_path, "seen", steps=(step("disk"), step("seen", mends=ANEW))).progress())
    assert sentence.endswith(
        "mend it there, then 'upgrader control-plane --stage s --restart': what this run has seen stays seen"
    )


def test_both_kinds_of_fault_at_once_are_told_and_one_command_comes_next(tmp_path: Path) -> None:
    sentence = run_sentence(ended(tmp_path, "disk", "rows").progress())
    assert "at step disk, which failed: " in sentence
    assert "at step rows, which failed: " in sentence
    assert "mend them in the live database, and the rest where it failed, then 'upgrader control-plane" in sentence


def test_refusal_says_that_nothing_was_changed_and_that_the_live_cloud_is_mended(tmp_path: Path) -> None:
    sentence = run_sentence(ended(tmp_path, "gate").progress())
    assert sentence.endswith("nothing was changed; mend it in the live cloud, then 'upgrader resume'")


def test_silent_node_in_a_gate_is_found_out_about_and_nothing_was_changed(tmp_path: Path) -> None:
    run = Run(tmp_path, STEPS)
    run.salt.answer = lambda call, node: None
    run.start()
    sentence = run_sentence(run.progress())
    assert "at step gate, which is in doubt: " in sentence
    assert sentence.endswith("nothing was changed; 'upgrader resume' finds out and goes on")


def test_gate_that_refuses_after_work_was_done_says_that_it_stays(tmp_path: Path) -> None:
    run = Run(tmp_path, (STEPS[0], step("done"), step("two")))
    submit = run.salt.submit

    def stop_before_two(call: Call, jid: str) -> None:
        if call.function == "do.two":
            raise KeyboardInterrupt
        submit(call, jid)

    run.salt.submit = stop_before_two  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        run.start()
    run.salt.answer = lambda call, node: dict(BAD if call.function == "do.gate" else GOOD)
    run.resume()
    sentence = run_sentence(run.progress())
    assert "nothing was changed" not in sentence
    assert "at step gate, which failed" in sentence
    Journal.open(run.path).append("step-stamped", "t", step="two", reason="by hand")
    assert run_sentence(run.progress()).endswith(
        "a gate refuses to go on, and what was done before stays; mend it in the live cloud, then 'upgrader resume'"
    )


def test_restart_carries_the_option_that_the_run_was_started_with(tmp_path: Path) -> None:
    repaired = (replace(step("nova-repair-server-groups"), call=Call("module", "do.repair", ("n1",))), *STEPS)
    sentence = run_sentence(ended(tmp_path, "rows", steps=repaired).progress())
    assert "'upgrader control-plane --stage s --repair-server-groups --restart'" in sentence


def test_step_that_still_runs_is_said_to_be_waited_for(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("one"),))
    run.salt.answer = lambda call, node: None
    run.salt.running |= {(node, "20170801101500000001") for node in ("n1", "n2")}
    run.start()
    sentence = run_sentence(run.progress())
    assert "at step one, which still runs: n1 still runs do.one after 60 s (job 20170801101500000001)" in sentence
    assert sentence.endswith("'upgrader resume' waits for it")


def test_run_that_was_cut_off_says_where(tmp_path: Path) -> None:
    run = Run(tmp_path, STEPS)
    run.salt.die_after = "do.disk"
    with pytest.raises(Interrupted):
        run.start()
    assert run_sentence(run.progress()) == (
        "run r (s of cloud lab): 1 of 5 steps done, at step disk, which is in doubt: it was cut off; "
        "'upgrader resume' finds out and goes on"
    )


def test_status_names_what_was_not_reached_because_of_which(tmp_path: Path) -> None:
    shown = status_text(ended(tmp_path, "rows", "disk").progress(), tmp_path / "r.jsonl", False, NOW)
    assert "not reached because of rows: more\nnot reached because of rows, disk: end" in shown


def test_document_names_failures_with_where_they_are_mended_and_what_was_not_reached(tmp_path: Path) -> None:
    document = run_document(ended(tmp_path, "rows").progress(), "r.jsonl")
    assert document["failed"] == [
        {"step": "rows", "state": "failed", "reason": "n1: it broke; n2: it broke", "mends": "copy"}
    ]
    assert document["not_reached"] == [{"step": "more", "because": ["rows"]}, {"step": "end", "because": ["rows"]}]
    assert document["changed"] is True


def test_document_of_a_refusal_says_that_nothing_was_changed(tmp_path: Path) -> None:
    assert run_document(ended(tmp_path, "gate").progress(), "r.jsonl")["changed"] is False


@pytest.mark.parametrize(("phase", "mends"), [(GATE, "live"), ("work", "node"), ("verify", "node")])
def test_where_a_fault_is_mended_stands_in_the_plan_also_when_nobody_said_it(phase: str, mends: str) -> None:
    assert step("one", phase=phase).mends == mends
    assert step("one", phase=phase, mends=COPY).mends == COPY


def shown(run: Run) -> str:
    out = io.StringIO()
    observer = ConsoleObserver(Console(file=out, width=200))
    for event in run.heard:
        observer.notify(event)
    observer.close()
    return out.getvalue()


def test_console_ends_with_every_failure_and_what_it_kept_from_being_reached(tmp_path: Path) -> None:
    lines = shown(ended(tmp_path, "rows", "disk")).splitlines()
    assert lines[-4:] == [
        "failed disk: n1: it broke; n2: it broke",
        "failed rows: n1: it broke; n2: it broke",
        "not reached because of rows: more",
        "not reached because of rows, disk: end",
    ]


def test_console_tells_of_each_batch(tmp_path: Path) -> None:
    many = replace(step("many", spread=Spread(1, 1)), call=Call("module", "do.many", ("a", "b", "c")))
    run = Run(tmp_path, (many,))
    run.salt.answer = lambda call, node: dict(BAD if node == "b" else GOOD)
    run.start()
    lines = [line.strip() for line in shown(run).splitlines()]
    assert "1 of 3 nodes done" in lines
    assert "2 of 3 nodes done, 1 failed" in lines


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        ({"what": "old", "remedy": "renew it", "subject": "glance"}, "warning: glance: old; renew it"),
        ({"what": "old", "subject": "glance"}, "warning: glance: old"),
        ({"what": "old"}, "warning: old"),
        ({}, "warning: a finding without words"),
    ],
)
def test_warning_that_lacks_something_is_shown_all_the_same(tmp_path: Path, finding: dict[str, Any], line: str) -> None:
    run = Run(tmp_path, (step("one"),))
    value = {"findings": [{**finding, "severity": "warning"}, "garbage"]}
    run.salt.answer = lambda call, node: {"return": value, "retcode": 0}
    run.start()
    assert line in [shown_line.strip() for shown_line in shown(run).splitlines()]


def bad(number: int) -> list[Reply]:
    return [Reply(f"n{count}", False, error="broke") for count in range(number)]


def test_reason_names_the_first_five_nodes_and_how_many_more_there_are() -> None:
    assert reason_of(bad(5), {}) == "n0: broke; n1: broke; n2: broke; n3: broke; n4: broke"
    assert reason_of(bad(6), {}).endswith("n4: broke; and 1 more nodes")
    assert reason_of([Reply("n1", True), Reply("n2", False, error="n2 is silent")], {}) == "n2 is silent"
    assert reason_of([], {}, "3 were not asked") == "3 were not asked"


def test_reason_names_the_first_five_nodes_that_were_left_out() -> None:
    five = {f"n{count}": "alive" for count in range(5)}
    assert reason_of([], five).endswith("n4 was not asked, as step alive failed there")
    assert reason_of([], five | {"n5": "alive", "n6": "alive"}).endswith("failed there; and 2 more nodes")


def test_end_of_a_step_names_it_again_where_another_lane_was_heard_of_meanwhile(tmp_path: Path) -> None:
    out, run = io.StringIO(), SlowRun(tmp_path, {"do.k1": 10.0, "do.g1": 4.0, "do.g2": 1.0, "do.h1": 2.0})
    observer = ConsoleObserver(Console(file=out, width=200))
    run.notify = observer.notify  # type: ignore[method-assign]
    assert run.start().ok
    said = out.getvalue().splitlines()
    assert said[1] == "[ 1/8] one (n1, n2)" and said[2].startswith("        done in ")
    assert said[4:8:2] == ["[ 5/8] g1 (n1, n2)", said[6]] and said[6].startswith("        done in 2"), (
        "h1 was told of last"
    )
    ends = [line for line in said if " done in " in line]
    assert len(ends) == 8 and ends[2].startswith("[ 5/8] g1 done in 4"), said
