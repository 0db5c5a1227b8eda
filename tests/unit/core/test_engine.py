"""What a run does when all goes well, and above all when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import STEPS, Run, failing, step
from upgrader.errors import Interrupted, SaltUnreachable
from upgrader.journal.journal import Journal, read_journal
from upgrader.journal.progress import read_progress
from upgrader.plan.references import least_of, reply_of
from upgrader.plan.step import GATE, Call, Step


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_all_steps_run_in_order(run: Run) -> None:
    assert run.start().ok
    assert run.salt.submitted == ["do.gate", "do.one", "do.two", "do.tidy"]


def test_intent_and_job_id_are_journalled_before_the_effect(run: Run) -> None:
    def look(call: Call, node: str) -> Mapping[str, Any]:
        last = read_journal(run.path)[-1]
        assert last["event"] == "step-started"
        assert f"do.{last['step']}" == call.function
        assert last["jid"]
        return {"return": True, "retcode": 0}

    run.salt.answer = look
    assert run.start().ok


def test_failure_stops_the_run_but_always_steps_still_run(run: Run) -> None:
    run.salt.answer = failing("do.one")
    outcome = run.start()
    assert not outcome.ok
    assert not outcome.refused
    assert outcome.reason == "step one failed: n2: it broke"
    assert run.salt.submitted == ["do.gate", "do.one", "do.tidy"]


def test_failing_gate_is_a_refusal(run: Run) -> None:
    run.salt.answer = failing("do.gate")
    outcome = run.start()
    assert outcome.refused
    assert "do.one" not in run.salt.submitted


def test_blocker_among_findings_fails_the_step(run: Run) -> None:
    finding = {"severity": "blocker", "what": "nova is at 334", "remedy": "restore it"}
    run.salt.answer = failing("do.gate", **{"return": {"findings": [finding]}, "retcode": 0})
    outcome = run.start()
    assert outcome.refused
    assert "nova is at 334; restore it" in outcome.reason


def test_resume_repeats_nothing_that_is_done(run: Run) -> None:
    run.salt.answer = failing("do.two")
    run.start()
    run.salt.answer, run.salt.submitted = failing("nothing"), []
    assert run.resume().ok
    assert run.salt.submitted == ["do.two"]


def test_resume_reattaches_to_a_job_that_was_published(run: Run) -> None:
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    assert run.state("one") == "in doubt"
    run.salt.submitted = []
    assert run.resume().ok
    assert run.salt.submitted == ["do.two", "do.tidy"]


def test_resume_runs_a_step_that_was_never_published(run: Run) -> None:
    run.salt.die_before = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    run.salt.submitted = []
    assert run.resume().ok
    assert run.salt.submitted == ["do.one", "do.two", "do.tidy"]


def test_silent_node_is_a_failed_reply(run: Run) -> None:
    run.salt.answer = lambda call, node: (
        None if node == "n2" and call.function == "do.one" else {"return": 1, "retcode": 0}
    )
    run.salt.running.add(("n2", "dead"))
    outcome = run.start()
    assert not outcome.ok
    assert "n2 does not answer" in outcome.reason
    assert run.state("one") == "in doubt"


def test_node_that_lost_the_job_makes_a_retry_safe_step_run_again(run: Run) -> None:
    run.salt.answer = lambda call, node: None if call.function == "do.one" else {"return": 1, "retcode": 0}
    outcome = run.start()
    assert "no longer runs" in outcome.reason
    run.salt.answer, run.salt.submitted = failing("nothing"), []
    assert run.resume().ok
    assert run.salt.submitted == ["do.one", "do.two"]


def test_lost_step_that_is_not_retry_safe_stops_and_asks(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("one", retry_safe=False),))
    run.salt.answer = lambda call, node: None
    assert not run.start().ok
    outcome = run.resume()
    assert outcome.in_doubt
    assert "nobody knows whether it was done" in outcome.reason
    assert "'upgrader stamp one' if it was" in outcome.reason
    assert run.salt.submitted == ["do.one"]


def test_step_that_is_not_retry_safe_is_not_run_again_because_the_job_cache_forgot_it(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("one", retry_safe=False),))
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    run.salt.jobs.clear()
    outcome = run.resume()
    assert outcome.in_doubt
    assert "nobody knows whether it was done" in outcome.reason
    assert run.salt.submitted == ["do.one"]


def test_lost_step_whose_check_finds_it_done_is_not_run_again(tmp_path: Path) -> None:
    check = Call("module", "check.one", ("n1", "n2"))
    run = Run(tmp_path, (replace(step("one", retry_safe=False), check=check),))
    run.salt.answer = lambda call, node: {"return": True, "retcode": 0} if call.function == "check.one" else None
    assert not run.start().ok
    assert run.resume().ok
    assert run.salt.submitted == ["do.one", "check.one"]


def test_call_that_outlasts_its_timeout_is_said_to_run_on(run: Run) -> None:
    run.salt.answer = lambda call, node: (
        None if call.function == "do.one" and node == "n1" else {"return": 1, "retcode": 0}
    )
    run.salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, True)  # type: ignore[method-assign]
    outcome = run.start()
    assert "n1 still runs do.one after 6" in outcome.reason
    assert "saltutil.term_job" in outcome.reason
    assert run.state("one") == "still running"


def test_unreachable_master_leaves_a_run_that_can_be_resumed(run: Run) -> None:
    run.salt.unreachable = True
    with pytest.raises(SaltUnreachable):
        run.start()
    run.salt.unreachable = False
    assert run.resume().ok
    assert run.events().count("run-started") == 1


def test_later_step_gets_an_earlier_answer(tmp_path: Path) -> None:
    second = Step("two", "t", Call("module", "do.two", ("n1",), {"counts": reply_of("one", "counts")}), needs=("one",))
    run, given = Run(tmp_path, (step("one"), second)), {}

    def answer(call: Call, node: str) -> Mapping[str, Any]:
        given[call.function] = dict(call.args)
        return {"return": {"counts": {"rows": 7}}, "retcode": 0}

    run.salt.answer = answer
    assert run.start().ok
    assert given["do.two"] == {"counts": {"rows": 7}}


def test_stamped_step_is_passed_over(run: Run) -> None:
    run.salt.answer = failing("do.one")
    run.start()
    Journal.open(run.path).append("step-stamped", "t", step="one", operator="me", reason="by hand")
    run.salt.answer, run.salt.submitted = failing("nothing"), []
    assert run.resume().ok
    assert run.salt.submitted == ["do.two"]


def test_observers_hear_every_step(run: Run) -> None:
    run.start()
    assert run.seen[0] == "RunStarted"
    assert run.seen[-1] == "RunFinished"
    assert run.seen.count("StepFinished") == len(STEPS)


def test_step_that_is_asked_anew_is_asked_on_resume_and_chooses_the_node_of_now(tmp_path: Path) -> None:
    look = Step("look", "look", Call("module", "do.look", ("n1", "n2")), GATE, anew=True)
    work = Step("work", "work", Call("module", "do.work", ("n1", "n2"), only=least_of("look", "load")))
    last = Step("last", "last", Call("module", "do.last", ("n1",)))
    run = Run(tmp_path, (look, work, last))
    loads, asked = {"n1": 1.0, "n2": 9.0}, []

    def answer(call: Call, node: str) -> Mapping[str, Any]:
        asked.append((call.function, node))
        failed = call.function == "do.work" and node == "n1"
        return {"return": "ERROR: broken" if failed else {"load": loads[node]}, "retcode": 1 if failed else 0}

    run.salt.answer = answer
    assert not run.start().ok
    loads.update(n1=9.0, n2=1.0)
    assert run.resume().ok
    assert [node for function, node in asked if function == "do.work"] == ["n1", "n2"]
    assert [function for function, _ in asked].count("do.look") == 4


@pytest.mark.parametrize("broken, asked", [("do.work", 2), ("do.hold", 1)])
def test_step_is_asked_anew_only_until_the_step_that_changes_the_world_was_begun(
    tmp_path: Path, broken: str, asked: int
) -> None:
    stop = Step("stop", "stop", Call("module", "do.stop", ("n1",)), anew=True, until="hold")
    work = Step("work", "work", Call("module", "do.work", ("n1",)), needs=("stop",))
    hold = Step("hold", "hold", Call("module", "do.hold", ("n1",)), needs=("work",))
    run = Run(tmp_path, (stop, work, hold))
    run.salt.answer = lambda call, node: {"return": "no", "retcode": 1 if call.function == broken else 0}
    assert not run.start().ok
    broken = ""
    assert run.resume().ok
    assert run.salt.submitted.count("do.stop") == asked


def test_job_in_doubt_is_attached_to_on_the_node_that_got_it(tmp_path: Path) -> None:
    look = Step("look", "look", Call("module", "do.look", ("n1", "n2")), GATE, anew=True)
    work = Step("work", "work", Call("module", "do.work", ("n1", "n2"), only=least_of("look", "load")))
    run = Run(tmp_path, (look, work))
    loads = {"n1": 1.0, "n2": 9.0}
    run.salt.answer = lambda call, node: {"return": {"load": loads[node]}, "retcode": 0}
    run.salt.die_after = "do.work"
    with pytest.raises(Interrupted):
        run.start()
    loads.update(n1=9.0, n2=1.0)
    assert run.resume().ok
    assert run.salt.submitted.count("do.work") == 1
    assert set(read_progress(read_journal(run.path)).steps["work"].replies) == {"n1"}


def test_gate_is_asked_anew_only_after_the_job_in_doubt_has_ended(tmp_path: Path) -> None:
    """A gate that looks while our own job still runs takes that job's traces for a fault of the cloud."""
    look = Step("look", "look", Call("module", "do.look", ("n1", "n2")), GATE, anew=True)
    run = Run(tmp_path, (look, Step("work", "work", Call("module", "do.work", ("n1", "n2")))))
    ended: list[str] = []

    def answer(call: Call, node: str) -> Mapping[str, Any]:
        busy = call.function == "do.look" and run.salt.submitted.count("do.work") == 1 and "work" not in ended
        return {"return": "ERROR: desynchronised" if busy else {}, "retcode": 1 if busy else 0}

    run.salt.answer = answer
    run.salt.die_after = "do.work"
    with pytest.raises(Interrupted):
        run.start()
    collected = run.salt.answers

    def answers(call: Call, jid: str) -> Any:
        if call.function == "do.work":
            ended.append("work")
        return collected(call, jid)

    run.salt.answers = answers  # type: ignore[method-assign]
    assert run.resume().ok
    assert run.salt.submitted.count("do.work") == 1


def test_interrupted_run_says_where_and_how_to_go_on(run: Run) -> None:
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted) as interrupted:
        run.start()
    assert str(interrupted.value) == (
        "interrupted at step one of run r; what runs on the nodes goes on there, and 'upgrader resume' takes it up again"
    )
    last = run.rows("run-interrupted")[-1]
    assert last["reason"] == "interrupted by the operator"
    assert last["at"].startswith("2017-08-01T")


def test_every_attempt_is_journalled_with_who_when_and_with_what(run: Run) -> None:
    run.salt.answer = failing("do.two")
    engine = run.engine(Journal.create(run.path))
    engine.start(run.plan, "r", "me", version="1")
    run.engine(Journal.open(run.path)).resume("you", version="2")
    (started,), (resumed,) = run.rows("run-started"), run.rows("run-resumed")
    assert (started["run"], started["operator"], started["version"]) == ("r", "me", "1")
    assert (started["plan"], started["digest"]) == (run.plan.to_json(), run.plan.digest)
    assert (resumed["operator"], resumed["version"]) == ("you", "2")
    assert all(row["at"].startswith("2017-08-01T") for row in read_journal(run.path))


def test_each_step_is_journalled_as_started_submitted_and_finished_under_one_job_id(run: Run) -> None:
    run.start()
    for step_id in ("gate", "one", "two", "tidy"):
        lines = [(row["event"], row["jid"]) for row in read_journal(run.path) if row.get("step") == step_id]
        assert [event for event, _ in lines] == ["step-started", "step-submitted", "step-finished"]
        assert {jid for _, jid in lines} == {
            jid for jid, (call, _) in run.salt.jobs.items() if call.function == f"do.{step_id}"
        }


def test_end_of_a_run_is_journalled_with_its_reason(run: Run) -> None:
    run.salt.answer = failing("do.one")
    run.start()
    assert (run.progress().state, run.progress().reason) == ("failed", "step one failed: n2: it broke")
    run.well()
    run.resume()
    assert (run.progress().state, run.progress().reason) == ("finished", "")
