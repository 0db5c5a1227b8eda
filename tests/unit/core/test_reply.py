"""Salt says failure in many ways; each of them is a failed reply with one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from upgrader.plan.step import Call
from upgrader.transport.reply import LONGEST, at_work, judge, silent

MODULE = Call("module", "upgrader_nova.db_sync", ("n",))
STATE = Call("state", "state.apply", ("n",), {"mods": "nova"})


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"return": "ERROR: no /etc/nova/nova.conf", "retcode": 1, "success": False}, "no /etc/nova/nova.conf"),
        (
            {"return": "'upgrader_nova.db_sync' is not available.", "retcode": 254, "success": False},
            "'upgrader_nova.db_sync' is not available.",
        ),
        (
            {"return": "Traceback (most recent call last):\n  File x\nKeyError: 'a'", "retcode": 1, "success": False},
            "KeyError: 'a'",
        ),
        ({"return": "Error running 'upgrader_nova.db_sync': at 319", "retcode": 1}, "at 319"),
        ({"return": "Error: no", "retcode": 1}, "no"),
        ({"return": "it's 'x': y", "retcode": 1}, "it's 'x': y"),
        ({"return": "Error running 'a.b': at 'c': d", "retcode": 1}, "at 'c': d"),
        ({"return": "", "retcode": 1}, "the function failed without a word"),
        ({"return": None, "success": False}, "the function failed without a word"),
    ],
)
def test_failed_function_is_a_failed_reply(answer: dict[str, Any], sentence: str) -> None:
    reply = judge(MODULE, "n", answer)
    assert not reply.ok
    assert reply.error == sentence


def test_false_is_a_value_not_a_failure() -> None:
    assert judge(MODULE, "n", {"return": False, "retcode": 0, "success": True}).ok


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (["Rendering SLS 'base:nova' failed: no"], "Rendering SLS 'base:nova' failed: no"),
        ({}, "the state run returned nothing"),
        ("state.apply is running as PID 3", "state.apply is running as PID 3"),
        ({"a_|-b": {"__id__": "conf", "result": False, "comment": "no space", "__run_num__": 0}}, "conf: no space"),
        (
            {"a_|-b": {"__id__": "conf", "result": True, "__run_num__": 0}},
            "the state run failed without naming a state",
        ),
        ({"a": "garbage"}, "the state run failed without naming a state"),
    ],
)
def test_state_run_that_failed_in_any_shape_is_a_failed_reply(value: Any, sentence: str) -> None:
    reply = judge(STATE, "n", {"return": value, "retcode": 2})
    assert reply.ok is False
    assert reply.error == sentence


def test_state_run_of_which_salt_says_nothing_but_that_it_failed_is_a_failed_reply() -> None:
    value = {"a": {"__id__": "conf", "result": True, "__run_num__": 0}}
    assert judge(STATE, "n", {"return": value, "retcode": 0}).ok
    assert not judge(STATE, "n", {"return": value, "retcode": 2}).ok
    assert not judge(STATE, "n", {"return": value, "retcode": 0, "success": False}).ok


def test_first_five_broken_states_are_named_in_the_order_in_which_they_ran() -> None:
    value = {
        f"s{number}": {"__id__": f"s{number}", "result": False, "comment": "no", "__run_num__": 9 - number}
        for number in range(8)
    }
    error = judge(STATE, "n", {"return": value, "retcode": 2}).error
    assert error == "s7: no; s6: no; s5: no; s4: no; s3: no"


def test_stack_trace_of_a_state_is_told_by_what_was_raised() -> None:
    trace = 'An exception occurred in this state: Traceback (most recent call last):\n  File "/x/state.py", line 1\nOSError: full\n'
    value = {"a_|-b": {"__id__": "conf", "result": False, "comment": trace, "__run_num__": 0}}
    assert judge(STATE, "n", {"return": value}).error == "conf: An exception occurred in this state: OSError: full"


def test_state_without_an_id_or_a_comment_is_named_by_its_key() -> None:
    value = {"file_|-conf": {"result": False}, "b": {"result": False, "comment": "no", "__run_num__": 1}}
    assert judge(STATE, "n", {"return": value, "retcode": 2}).error == "file_|-conf:; b: no"
    changed = {"file_|-conf": {"result": True, "changes": {"b": 1, "a": 2}}, "quiet": {"result": True, "changes": {}}}
    assert judge(STATE, "n", {"return": changed}).changes == {"file_|-conf": ["a", "b"]}


def test_state_without_a_number_ran_before_the_numbered_ones() -> None:
    value = {
        "second": {"result": False, "comment": "2", "__run_num__": 1},
        "strange": {"result": False, "comment": "?", "__run_num__": "x"},
        "first": {"result": False, "comment": "1"},
        "third": {"result": False, "comment": "3", "__run_num__": 2},
    }
    assert judge(STATE, "n", {"return": value, "retcode": 2}).error == "strange: ?; first: 1; second: 2; third: 3"


def test_state_reply_says_how_many_states_ran() -> None:
    assert judge(STATE, "n", {"return": {"a": {"result": True}, "b": {"result": None}}}).value == {"states": 2}
    assert judge(STATE, "n", {"return": {"a": {"result": True}}}).node == "n"


def test_render_error_is_cut_to_its_beginning_where_the_cause_is() -> None:
    lines = ["Rendering SLS 'base:nova' failed: Jinja variable 'x' is undefined", *("x" * 200 for _ in range(500))]
    error = judge(STATE, "n", {"return": lines, "retcode": 1}).error
    assert error.startswith("Rendering SLS 'base:nova' failed: Jinja variable 'x' is undefined; ")
    assert len(error) < LONGEST + 100
    assert "more characters, in the log of the node's salt-minion" in error


def test_error_that_is_not_too_long_is_left_as_it_is() -> None:
    assert judge(MODULE, "n", {"return": "x" * LONGEST, "retcode": 1}).error == "x" * LONGEST
    assert judge(MODULE, "n", {"return": "x" * (LONGEST + 1), "retcode": 1}).error.endswith(
        "(1 more characters, in the log of the node's salt-minion)"
    )


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        ({"what": "at 334", "remedy": "restore it"}, "at 334; restore it"),
        ({"what": "at 334"}, "at 334"),
        ({"what": "at 334", "remedy": ""}, "at 334"),
        ({"remedy": "restore it"}, "restore it"),
        (
            {"what": "at 334", "remedy": "restore it", "service": "nova", "rows": [1, "b", "c", "d"]},
            "nova: at 334 (1, b, c); restore it",
        ),
        ({"what": "at 334", "service": "nova"}, "nova: at 334"),
        ({"remedy": "restore it", "service": "nova"}, "restore it"),
        ({}, "a finding without words"),
    ],
)
def test_blocker_that_lacks_words_fails_the_reply_all_the_same(finding: dict[str, Any], sentence: str) -> None:
    reply = judge(MODULE, "n", {"return": {"findings": [{**finding, "severity": "blocker"}]}, "retcode": 0})
    assert not reply.ok
    assert reply.error == sentence
    assert reply.value["findings"], "what was said stays, for whoever shows it"


def test_every_blocker_is_told_and_nothing_less_than_one_fails_a_reply() -> None:
    findings = [{"severity": s, "what": s} for s in ("warning", "blocker", "info", "blocker")]
    assert judge(MODULE, "n", {"return": {"findings": findings}}).error == "blocker; blocker"
    assert judge(MODULE, "n", {"return": {"findings": findings[:1]}}).ok


def test_node_that_works_on_is_not_lost_and_a_silent_one_does_not_work_on() -> None:
    assert (at_work("n", "x").running, at_work("n", "x").lost, at_work("n", "x").ok) == (True, False, False)
    assert (silent("n", "x").running, silent("n", "x").lost, silent("n", "x").ok) == (False, True, False)


def test_states_that_did_not_run_for_want_of_another_are_not_the_cause() -> None:
    value = {
        "a": {"__id__": "cause", "result": False, "comment": "broke", "__run_num__": 0},
        "b": {"__id__": "victim", "result": False, "comment": "requisite", "__run_num__": 1, "__state_ran__": False},
    }
    assert judge(STATE, "n", {"return": value, "retcode": 2}).error == "cause: broke"


def test_state_reply_names_what_changed_but_not_its_content() -> None:
    value = {
        "a": {"__id__": "conf", "result": True, "comment": "", "changes": {"diff": "-password=old"}, "__run_num__": 0}
    }
    reply = judge(STATE, "n", {"return": value, "retcode": 0})
    assert reply.ok
    assert reply.changes == {"conf": ["diff"]}
    assert "password" not in str(reply)


@pytest.mark.parametrize("call", [MODULE, STATE], ids=["module", "state"])
@pytest.mark.parametrize(
    "value", ["VALUE_TRIMMED", {"rows": "VALUE_TRIMMED"}, {"a": [1, {"b": ["x", "VALUE_TRIMMED"]}]}], ids=str
)
def test_answer_that_salt_cut_is_a_failure_although_it_looks_good(call: Call, value: Any) -> None:
    reply = judge(call, "n", {"return": value, "retcode": 0, "success": True})
    assert not reply.ok and "set max_event_size" in reply.error
    assert judge(MODULE, "n", {"return": {"note": "VALUE_TRIMMED is Salt's mark"}, "retcode": 0}).ok
