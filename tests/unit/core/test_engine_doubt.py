"""What a resume does about jobs that nobody saw the end of: waits for them, finds out, and never doubles one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.runs import BAD, GOOD, Run, step
from upgrader.engine.events import StepStarted
from upgrader.errors import Interrupted
from upgrader.plan.step import GATE, Call, Spread, Step


def works_on(run: Run, node: str = "n1") -> str:
    """The last job of ``do.one`` runs on at the node; gives its id."""
    jid = next(jid for jid, (call, _) in reversed(run.salt.jobs.items()) if call.function == "do.one")
    run.salt.running.add((node, jid))
    return jid


def timed_out(folder: Path, one: Step, *before: Step) -> tuple[Run, str]:
    """A run whose step is still at work on n1 when its time is up; n2 has answered."""
    run = Run(folder, (*before, one, step("other"), step("after", needs=("one",))))
    jid = f"201708011015000000{len(before) + 1:02}"
    run.salt.running.add(("n1", jid))
    run.salt.answer = lambda call, node: None if (call.function, node) == ("do.one", "n1") else dict(GOOD)
    assert run.start().in_doubt
    return run, jid


ONE = step("one")


def test_step_that_outlasts_its_timeout_is_journalled_as_still_running(tmp_path: Path) -> None:
    run, jid = timed_out(tmp_path, ONE)
    assert run.state("one") == "still running"
    assert run.progress().steps["one"].jobs == {jid: ("n1",)}
    reply = run.rows("step-finished")[0]["replies"]["n1"]
    assert (reply["running"], reply["lost"], reply["ok"]) == (True, False, False)


def test_work_that_does_not_need_the_running_step_goes_on(tmp_path: Path) -> None:
    run, _ = timed_out(tmp_path, ONE)
    assert run.salt.submitted == ["do.one", "do.other"]


def test_resume_waits_for_the_job_that_runs_and_submits_no_second_one(tmp_path: Path) -> None:
    run, jid = timed_out(tmp_path, ONE)
    call, answers = run.salt.jobs[jid]
    later, paused = run.clock.seconds + 30, run.clock.pause

    def pause(seconds: float) -> None:
        paused(seconds)
        if run.clock.seconds > later:
            run.salt.running.clear()
            run.salt.jobs[jid] = (call, {**answers, "n1": dict(GOOD)})

    run.clock.pause = pause  # type: ignore[method-assign]
    run.salt.submitted = []
    assert run.resume().ok
    assert run.salt.submitted == ["do.after"]
    (shown,) = [event for event in run.heard if isinstance(event, StepStarted) and event.reattached]
    assert (shown.step.id, shown.step.call.nodes, shown.number, shown.total) == ("one", ("n1",), 1, 3)
    assert run.progress().steps["one"].seconds == pytest.approx(92, abs=8)


def test_job_that_goes_on_beyond_another_timeout_stops_in_doubt_with_node_job_and_time(tmp_path: Path) -> None:
    run, jid = timed_out(tmp_path, ONE)
    outcome = run.resume()
    assert outcome.in_doubt
    assert run.salt.submitted.count("do.one") == 1
    assert run.state("one") == "still running"
    assert "n1 still runs do.one after 12" in outcome.reason
    assert f"'salt n1 saltutil.find_job {jid}' shows it and 'salt n1 saltutil.term_job {jid}' ends it" in outcome.reason


def test_job_that_the_cache_forgot_but_a_node_runs_is_waited_for(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    works_on(run, "n2")
    run.salt.jobs.clear()
    assert run.resume().in_doubt
    assert run.salt.asked == [("do.one", ("n1", "n2")), ("do.one", ("n1",))]


def test_node_that_does_not_say_whether_it_runs_the_job_gets_no_second_one(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.die_before = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    run.salt.running.add(("n2", "dead"))
    outcome = run.resume()
    assert outcome.in_doubt
    assert run.salt.asked == [("do.one", ("n1",))]
    assert "n2 does not say whether it still runs do.one" in outcome.reason
    run.salt.running.clear()
    run.well()
    assert run.resume().ok
    assert run.salt.asked == [("do.one", ("n2",))]


def test_only_the_lost_node_is_asked_again(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.answer = lambda call, node: None if node == "n2" else dict(GOOD)
    assert run.start().in_doubt
    run.well()
    assert run.resume().ok
    assert run.salt.asked == [("do.one", ("n2",))]
    assert set(run.progress().steps["one"].replies) == {"n1", "n2"}


def test_only_the_node_that_failed_is_asked_again(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.answer = lambda call, node: dict(BAD if node == "n2" else GOOD)
    assert not run.start().ok
    run.well()
    assert run.resume().ok
    assert run.salt.asked == [("do.one", ("n2",))]


def test_jobs_of_one_step_are_each_waited_for_though_one_was_never_published(tmp_path: Path) -> None:
    """The first job is forgotten and idle, the second runs on: the first is no reason to pass over the second."""
    many = replace(step("one", spread=Spread(1, 9)), call=Call("module", "do.one", ("n1", "n2")))
    run = Run(tmp_path, (many,))
    run.salt.answer = lambda call, node: None
    assert run.start().in_doubt
    first, second = run.salt.jobs
    del run.salt.jobs[first]
    call, _ = run.salt.jobs[second]
    run.salt.jobs[second] = (call, {"n2": dict(GOOD)})
    run.well()
    assert run.resume().ok
    assert run.salt.asked == [("do.one", ("n1",))]
    assert (run.rows("node-finished")[2]["node"], run.rows("node-finished")[2]["jid"]) == ("n2", second)


def test_step_that_is_asked_anew_is_asked_of_every_node(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("one", phase=GATE, anew=True),))
    run.salt.answer = lambda call, node: dict(BAD if node == "n2" else GOOD)
    assert not run.start().ok
    run.well()
    assert run.resume().ok
    assert run.salt.asked == [("do.one", ("n1", "n2"))]


def test_failure_that_came_while_nobody_waited_is_told_and_not_tried_again_at_once(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.answer = lambda call, node: dict(BAD if node == "n2" else GOOD)
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    assert run.resume().failed == {"one": "n2: it broke"}
    assert run.salt.submitted == ["do.one"]


CHECK = Call("module", "check.one", ("n1", "n2"))


def lost_everywhere(folder: Path, said: dict[str, object], check: Call = CHECK) -> Run:
    """Both nodes lost the job of a step that may not simply be run again; its check says what ``said`` holds."""
    run = Run(folder, (replace(step("one", retry_safe=False), check=check),))
    run.salt.answer = lambda call, node: {"return": said[node], "retcode": 0} if call.function == "check.one" else None
    assert not run.start().ok
    return run


@pytest.mark.parametrize("said", [{"n1": True, "n2": False}, {"n1": False, "n2": True}, {"n1": False, "n2": False}])
def test_check_must_be_satisfied_on_every_node(tmp_path: Path, said: dict[str, object]) -> None:
    run = lost_everywhere(tmp_path, said)
    assert run.resume().in_doubt
    assert run.state("one") == "in doubt"


def test_check_that_a_node_fails_is_not_satisfied(tmp_path: Path) -> None:
    run = lost_everywhere(tmp_path, {"n1": True, "n2": True})
    run.salt.answer = lambda call, node: dict(BAD if node == "n2" else {"return": True, "retcode": 0})
    assert run.resume().in_doubt


def test_check_is_asked_of_the_nodes_in_doubt_only(tmp_path: Path) -> None:
    run = Run(tmp_path, (replace(step("one", retry_safe=False), check=CHECK),))
    run.salt.answer = lambda call, node: (
        None if (call.function, node) == ("do.one", "n2") else {"return": True, "retcode": 0}
    )
    assert not run.start().ok
    assert run.resume().ok
    assert run.salt.asked[-1] == ("check.one", ("n2",))


def test_check_elsewhere_is_asked_of_all_of_its_nodes(tmp_path: Path) -> None:
    run = lost_everywhere(tmp_path, {"n8": True, "n9": True}, Call("module", "check.one", ("n8", "n9")))
    assert run.resume().ok
    assert run.salt.asked[-1] == ("check.one", ("n8", "n9"))
    assert all(jid.isdigit() for jid in run.salt.jobs), "a check has a job id of its own"
    reply = run.progress().steps["one"].replies["n1"]
    assert (reply["ok"], reply["value"]) == (True, {"comment": "one was seen to be done by its check"})
    assert run.state("one") == "done"


def test_jobs_in_doubt_are_waited_for_before_any_gate_is_asked_anew(tmp_path: Path) -> None:
    run = Run(tmp_path, (step("gate", phase=GATE, anew=True), ONE, step("two")))
    run.salt.die_after = "do.one"
    with pytest.raises(Interrupted):
        run.start()
    run.salt.answer = lambda call, node: dict(BAD if call.function == "do.gate" else GOOD)
    outcome = run.resume()
    assert list(outcome.failed) == ["gate"]
    assert run.state("one") == "done"
    run.salt.jobs.clear()
    run.well()
    assert run.resume().ok
    assert run.salt.submitted == ["do.gate", "do.two"]


def test_gate_is_not_asked_anew_while_a_job_of_our_own_still_runs(tmp_path: Path) -> None:
    run, _ = timed_out(tmp_path, ONE, step("gate", phase=GATE, anew=True))
    run.salt.submitted = []
    run.salt.answer = lambda call, node: dict(BAD if call.function == "do.gate" else GOOD)
    outcome = run.resume()
    assert list(outcome.failed) == ["one"]
    assert run.salt.submitted == []


def test_node_that_says_it_runs_the_job_after_all_gets_no_second_one(tmp_path: Path) -> None:
    """Idle for as long as it was waited for, then at work: a minion that was just coming back."""
    run = Run(tmp_path, (ONE,))
    run.salt.answer = lambda call, node: None if node == "n1" else dict(GOOD)
    assert run.start().in_doubt
    jid = next(iter(run.salt.jobs))
    run.salt.submitted = []
    run.salt.still_running = lambda jid, nodes: dict.fromkeys(nodes, bool(run.rows("node-finished")))  # type: ignore[method-assign]
    outcome = run.resume()
    assert outcome.in_doubt
    assert run.state("one") == "still running"
    assert run.salt.submitted == []
    assert "n1 still runs do.one after " in outcome.reason
    assert f"(job {jid})" in outcome.reason
    assert run.rows("node-finished")[-1]["reply"]["running"]


def test_node_that_is_silent_is_told_with_the_job_that_it_may_still_run(tmp_path: Path) -> None:
    run = Run(tmp_path, (ONE,))
    run.salt.answer = lambda call, node: None if node == "n1" else dict(GOOD)
    run.start()
    jid = next(iter(run.salt.jobs))
    run.salt.running.add(("n1", "dead"))
    assert run.resume().failed == {
        "one": f"n1 does not say whether it still runs do.one (job {jid}): is the machine up and salt-minion running there?"
    }
    last = run.rows("node-finished")[-1]
    assert (last["node"], last["jid"], last["reply"]["lost"]) == ("n1", jid, True)
