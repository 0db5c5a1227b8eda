"""Salt says failure in many ways; each of them is a failed reply with one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from upgrader.plan.step import Call
from upgrader.transport.reply import judge

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
    ],
)
def test_state_run_that_failed_in_any_shape_is_a_failed_reply(value: Any, sentence: str) -> None:
    reply = judge(STATE, "n", {"return": value, "retcode": 2})
    assert not reply.ok
    assert reply.error == sentence


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
