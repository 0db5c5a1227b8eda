"""What the site's salt-call says, judged: shapes as Salt 2017.7.8 gives them with ``--out=json``.

tests/data/site_replies holds what 2017.7.8 printed in the lab's profile mcp; each minion's part is what its salt-call says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.site import answer, selection

GOOD = {
    "pkg_|-nova_packages_|-nova_packages_|-installed": {
        "__id__": "nova_packages",
        "__run_num__": 0,
        "result": True,
        "changes": {"nova-api": {"old": "", "new": "2:15.1.5"}},
        "comment": "1 package installed",
    },
    "service_|-nova_services_|-nova-api_|-running": {
        "__id__": "nova_services",
        "__run_num__": 1,
        "result": True,
        "changes": {},
        "comment": "The service nova-api is already running",
    },
}


def state(kind: str, function: str, **more: Any) -> dict[str, Any]:
    chunk = {"__id__": "one", "__run_num__": 2, "result": True, "changes": {}, "comment": "", **more}
    return {**GOOD, f"{kind}_|-one_|-name_|-{function}": chunk}


def test_states_that_all_succeeded_are_counted_with_what_they_started() -> None:
    assert answer.applied("nova", {**GOOD, "retcode": 0}, 0) == answer.Applied(2, 1, ("nova-api",))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            state("cmd", "run", result=False, comment='Command "nova-manage"\nrun'),
            r'one \(cmd.run\): Command "nova-manage" run',
        ),
        (state("cmd", "run", changes={"retcode": 1, "stdout": ""}), "its command ended with exit code 1"),
        (
            state(
                "keystone",
                "user_present",
                result=False,
                comment="An exception occurred in this state: Traceback (most recent call last):\n  File "
                + '"/usr/lib/python2.7/dist-packages/salt/state.py", line 1843, in call\n' * 20
                + "Unauthorized: The request you have made requires authentication.\n",
            ),
            r"one \(keystone.user_present\): An exception occurred in this state: Unauthorized: The request .* authentication.$",
        ),
        (state("module", "run", changes={"ret": False}), "its function answered False"),
        (
            state(
                "cmd", "run", changes={"retcode": 0, "stderr": "Traceback (most recent call last):\n x\nDBError: gone"}
            ),
            "its command broke off: DBError: gone",
        ),
        (["No matching sls found for 'heat' in env 'base'"], "has no such formula: No matching sls found for 'heat'"),
        (
            ["Rendering SLS 'base:nova' failed: Jinja variable 'x' is undefined"],
            "the site's nova does not render: Rendering",
        ),
        (['The function "state.sls" is running as PID 77 and was started at 2026'], "applies other states just now"),
        ("'state.slss' is not available.", "was not applied: 'state.slss' is not available."),
        ({}, "was cut off"),
        ({"retcode": 0}, "was cut off"),
        (None, "answered NoneType"),
        (True, "answered bool"),
    ],
)
def test_whatever_is_no_success_is_a_sentence(found: Any, sentence: str) -> None:
    with pytest.raises(StepError, match=sentence):
        answer.applied("nova", found, 0)


RECORDED = Path(__file__).parents[2] / "data" / "site_replies"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "state_failed",
            r"1 of 4 states of the site's memcached failed: memcached_fault_fails \(test.fail_without_changes\): Failure!",
        ),
        ("sls_missing", "has no such formula: Specified SLS memcached.not_there"),
        ("sls_not_rendered", "the site's memcached does not render: Rendering SLS 'base:memcached.server' failed"),
        ("already_running", "applies other states just now"),
        ("function_missing", "'upgrader.nothing' is not available"),
        ("function_arguments_wrong", "was not applied: Passed invalid arguments"),
        ("function_error", "Problem encountered installing package"),
        (
            "function_raised",
            r"was not applied: The minion function caused an exception: error: \[Errno 111\] Connection refused$",
        ),
        ("function_string", "was not applied: 2017.7.8"),
        ("function_true", "answered bool"),
        ("killed", "was cut off"),
        ("nothing_to_run", "was cut off, or there was nothing in it"),
    ],
)
def test_what_an_old_salt_printed_with_exit_code_0_is_no_success(name: str, sentence: str) -> None:
    with pytest.raises(StepError, match=sentence):
        answer.applied("memcached", recorded(name), 0)


def recorded(name: str) -> Any:
    [found] = json.loads((RECORDED / f"{name}.txt").read_text()).values()
    return found


def test_what_an_old_salt_printed_of_states_that_passed_is_one() -> None:
    assert answer.applied("memcached", recorded("states_ok"), 0) == answer.Applied(3, 0, ("memcached",))


def test_state_that_never_ran_for_its_requisite_does_not_hide_the_cause() -> None:
    """As 2017.7 prints it: without an id."""
    follows = {"comment": "One or more requisite failed: a.b", "result": False, "__run_num__": 0, "changes": {}}
    found = {**recorded("state_failed"), "cmd_|-after_|-true_|-run": follows}
    with pytest.raises(StepError, match="1 of 5 states of the site's memcached failed: memcached_fault_fails"):
        answer.applied("memcached", found, 0)


def test_every_failed_state_is_named_in_the_order_of_the_run() -> None:
    found = {
        f"file_|-id{number}_|-n_|-managed": {
            "__id__": f"id{number}",
            "__run_num__": number,
            "result": False,
            "comment": "no",
        }
        for number in (7, 1, 3, 2, 9, 5, 4)
    }
    with pytest.raises(StepError) as told:
        answer.applied("nova", found, 2)
    assert str(told.value).startswith("7 of 7 states of the site's nova failed: id1 (file.managed): no; id2")
    assert str(told.value).endswith("id5 (file.managed): no and 2 more")


def test_exit_code_that_no_state_explains_is_a_failure() -> None:
    with pytest.raises(StepError, match="exit code 2 though no state"):
        answer.applied("nova", GOOD, 2)


def test_no_password_of_a_url_is_repeated() -> None:
    with pytest.raises(StepError) as told:
        answer.applied("nova", state("cmd", "run", result=False, comment="mysql://nova:s3cret@db/nova refused"), 2)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("text", ["", "[ERROR] no master", "{", '{"other": 1}', "[1]"])
def test_no_answer_is_told_with_exit_code_and_last_word(text: str) -> None:
    with pytest.raises(StepError, match=r"ended with exit code 1 and no answer \(Unable to sign_in to master\)"):
        answer.parsed(text, 1, "first\nUnable to sign_in to master\n")


def test_answer_behind_other_words_is_found() -> None:
    assert answer.parsed('[WARNING ] old\n{"local": {"a": 1}}', 0, "") == {"a": 1}


LOW = [
    {"__id__": "nova_services", "state": "service", "fun": "running", "name": "nova-api", "order": 10003},
    {"__id__": "nova_conf", "state": "file", "fun": "managed", "name": "/etc/nova/nova.conf", "order": 10001},
    {"__id__": "nova_packages", "state": "pkg", "fun": "installed", "name": "nova_packages", "order": 10000},
    {"__id__": "nova_sync", "state": "cmd", "fun": "run", "name": "nova-manage db sync", "order": 10002},
    {"__id__": "both", "state": "file", "fun": "managed", "name": "/etc/x", "order": 10004},
    {"__id__": "both", "state": "service", "fun": "running", "name": "x", "order": 10005},
    {"__id__": "stopped", "state": "service", "fun": "dead", "name": "old", "order": 10006},
]


def test_syncs_and_services_are_left_out_before_the_schemas_and_a_mixed_id_is_told() -> None:
    listed = answer.listed("nova", json.loads(json.dumps(LOW)))
    assert [one["__id__"] for one in listed][:3] == ["nova_packages", "nova_conf", "nova_sync"]
    chosen = selection.configuration(listed)
    assert set(chosen.excluded) == {"nova_services", "nova_sync", "both", "stopped"}
    assert chosen.mixed == ("both",)
    assert chosen.services == ("nova-api", "x")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (["No matching sls found for 'x' in env 'base'"], "has no such formula"),
        ("Exception", "was not applied"),
        ([], "does not render"),
    ],
)
def test_what_is_no_list_of_states_is_refused(found: Any, sentence: str) -> None:
    with pytest.raises(StepError, match=sentence):
        answer.listed("x", found)
