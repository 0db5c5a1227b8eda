"""What `salt --out=json --static` of 2017.7.8 printed in a lab with a site of its own, judged; the exit code was 0 but for no match."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upgrader.plan.step import Call
from upgrader.transport.reply import Reply
from upgrader.transport.site_reply import site_replies

RECORDED = Path(__file__).resolve().parents[2] / "data" / "site_replies"
UPG01, DBS03 = "upg01.lab.local", "dbs03.lab.local"
STATE = Call("state", "state.sls", (UPG01,), {"mods": "memcached"})
MODULE = Call("module", "pkg.install", (UPG01,))
PING = Call("module", "test.ping", (UPG01, DBS03))


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def reply(name: str, call: Call = STATE) -> Reply:
    return site_replies(call, recorded(name))[UPG01]


def test_states_that_all_passed_are_ok_and_retcode_is_none_of_them() -> None:
    answer = reply("states_ok")
    assert answer.ok
    assert answer.value == {"states": 3}


def test_failed_state_is_named() -> None:
    answer = reply("state_failed")
    assert (answer.ok, answer.lost) == (False, False)
    assert answer.error == "memcached_fault_fails: Failure!"


def test_retcode_alone_fails_a_run_whose_states_passed() -> None:
    printed = recorded("states_ok").replace('"retcode": 0', '"retcode": 2')
    assert not site_replies(STATE, printed)[UPG01].ok


def test_state_that_never_ran_for_its_requisite_does_not_hide_the_cause() -> None:
    """As 2017.7 prints it: without an id."""
    answer = json.loads(recorded("state_failed"))
    answer[UPG01]["cmd_|-after_|-true_|-run"] = {
        "comment": "One or more requisite failed: memcached.server.memcached_fault_fails",
        "result": False,
        "__run_num__": 0,
        "__sls__": "memcached.server",
        "changes": {},
    }
    assert site_replies(STATE, json.dumps(answer))[UPG01].error == "memcached_fault_fails: Failure!"


def test_run_without_a_state_is_a_failure() -> None:
    assert "ran no state on upg01.lab.local" in reply("nothing_to_run").error


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sls_missing", "Specified SLS memcached.not_there in saltenv base is not available"),
        ("sls_not_rendered", "Rendering SLS 'base:memcached.server' failed"),
    ],
)
def test_list_of_sentences_is_a_failure_with_them(name: str, words: str) -> None:
    answer = reply(name)
    assert (answer.ok, answer.lost) == (False, False)
    assert answer.error.startswith(words)


def test_node_that_is_busy_says_how_to_end_the_other_run() -> None:
    answer = reply("already_running")
    assert (answer.ok, answer.lost, answer.running) == (False, False, False)
    assert "site's 'salt upg01.lab.local saltutil.kill_job 20261129144619217554'" in answer.error


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("function_missing", "'upgrader.nothing' is not available."),
        ("function_arguments_wrong", "Passed invalid arguments to cmd.run"),
        ("function_error", "Problem encountered installing package(s)"),
    ],
)
def test_words_about_a_function_that_raised_are_a_failure(name: str, sentence: str) -> None:
    answer = reply(name, MODULE)
    assert not answer.ok
    assert answer.error.startswith(sentence)


def test_exception_of_a_function_is_told_by_its_last_line() -> None:
    answer = reply("function_raised", MODULE)
    assert not answer.ok
    assert "Connection refused" in answer.error
    assert "Traceback" not in answer.error


def test_any_string_is_a_failure_of_a_state_run_and_a_value_of_a_function() -> None:
    assert not reply("function_string").ok
    assert reply("function_string", MODULE) == Reply(UPG01, True, value="2017.7.8")
    assert reply("function_true", MODULE) == Reply(UPG01, True, value=True)


def test_dictionary_of_a_function_loses_the_retcode_that_salt_put_into_it() -> None:
    printed = json.dumps({UPG01: {"nova": {"old": "", "new": "1"}, "retcode": 0}})
    assert site_replies(MODULE, printed)[UPG01].value == {"nova": {"old": "", "new": "1"}}
    assert not site_replies(MODULE, printed.replace('"retcode": 0', '"retcode": 1'))[UPG01].ok


def test_minion_that_is_silent_or_absent_is_lost_and_the_others_are_judged() -> None:
    replies = site_replies(PING, recorded("one_silent"))
    assert replies[UPG01].ok
    assert (replies[DBS03].ok, replies[DBS03].lost) == (False, True)
    absent = site_replies(PING, recorded("function_true"))[DBS03]
    assert absent.lost
    assert "dbs03.lab.local is not among those that answered" in absent.error


def test_killed_run_is_lost() -> None:
    answer = reply("killed")
    assert answer.lost
    assert "nobody knows what state.sls memcached did there" in answer.error


def test_words_before_the_answers_are_told_of_every_node() -> None:
    replies = site_replies(PING, recorded("no_match"))
    assert all(one.lost and "No minions matched the target" in one.error for one in replies.values())


@pytest.mark.parametrize("printed", ["", "Salt request timed out. The master is not responding."])
def test_without_answers_every_node_is_lost_with_what_was_said(printed: str) -> None:
    replies = site_replies(PING, printed)
    assert set(replies) == set(PING.nodes)
    assert all(one.lost and printed in one.error for one in replies.values())


def test_answer_that_is_cut_off_passes_for_nobody() -> None:
    cut = recorded("states_ok")[:-40]
    assert "its answer is cut off" in site_replies(STATE, cut)[UPG01].error
