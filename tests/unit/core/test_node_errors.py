"""The one error of code on a node, how modules tell it, and the five beats of states."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from upgrader_node.errors import StepError, told_as
from upgrader_node.host import beats, findings, settings


class Told(Exception):
    """Stands for Salt's CommandExecutionError."""


class DriverError(Exception):
    pass


DRIVER = SimpleNamespace(
    connections=SimpleNamespace(Connection=SimpleNamespace(Error=DriverError)),
    err=SimpleNamespace(MySQLError=DriverError),
)


def test_an_error_is_told_without_its_secrets_and_without_a_chain() -> None:
    with pytest.raises(Told) as caught, told_as(Told, "backup not taken", secrets=["s3cret"]):
        raise StepError("mysql://nova:pa@ss@db/nova says s3cret")
    assert str(caught.value) == "backup not taken: mysql://nova:***@db/nova says ***"
    assert caught.value.__suppress_context__


def test_a_drivers_error_says_what_the_server_said() -> None:
    with pytest.raises(Told, match=r"clones not filled: the database server broke off \(gone away\)"):  # noqa: SIM117
        with told_as(Told, "clones not filled", DRIVER):
            raise DriverError("gone away")


def test_what_nobody_expects_is_not_swallowed() -> None:
    with pytest.raises(KeyError), told_as(Told):
        raise KeyError("bug")


def done(**more: object) -> dict[str, object]:
    return {"comment": "made", "changed": True, "before": 1, "after": 2, **more}


def never() -> dict[str, object]:
    raise AssertionError("it acted")


RIGHT, WRONG = (lambda: beats.Standing(True, "is so")), (lambda: beats.Standing(False, "would make it"))


def test_a_state_that_is_right_does_nothing() -> None:
    ret = beats.changing("x", False, Told, RIGHT, never)
    assert ret == {"name": "x", "changes": {}, "result": True, "comment": "is so"}
    assert beats.changing("x", True, Told, RIGHT, never)["result"] is True


def test_a_state_under_test_says_what_it_would_do_and_does_not() -> None:
    ret = beats.changing("x", True, Told, WRONG, never)
    assert ret == {"name": "x", "changes": {}, "result": None, "comment": "would make it"}


def test_a_state_reports_a_change_only_when_one_was_made() -> None:
    assert beats.changing("x", False, Told, WRONG, done)["changes"] == {"old": 1, "new": 2}
    assert beats.changing("x", False, Told, WRONG, lambda: done(changed=False))["changes"] == {}


@pytest.mark.parametrize("error", [Told, StepError])
def test_a_failure_is_a_sentence_and_false(error: type[Exception]) -> None:
    def fail() -> dict[str, object]:
        raise error("no way")

    ret = beats.changing("x", False, Told, WRONG, fail)
    assert (ret["result"], ret["comment"], ret["changes"]) == (False, "no way", {})


def test_a_check_that_fails_under_test_is_unknown_not_wrong() -> None:
    def fail() -> str:
        raise StepError("not written yet")

    assert beats.asserting("x", Told, fail)["result"] is False
    assert beats.asserting("x", Told, fail, test=True)["result"] is None
    assert beats.asserting("x", Told, lambda: "all is well")["comment"] == "all is well"


def test_a_finding_has_one_shape() -> None:
    one = findings.of_node("dbs01", "does not serve", "start it", id="serve", rows=[1])
    assert one == {
        "severity": "blocker", "subject": "dbs01", "what": "dbs01 does not serve", "remedy": "start it", "id": "serve", "rows": [1],
    }  # fmt: skip
    assert findings.summary([one, findings.finding("x", "is odd", "look", findings.WARNING)]).startswith("1 finding(s)")


def test_few_of_many_are_shown() -> None:
    assert findings.some(["a", "b", "c"], 2) == "a, b and 1 more"
    assert findings.some(["a", "b"], 2) == "a, b"


def test_a_clone_without_accounts_is_named_by_its_key() -> None:
    with pytest.raises(StepError, match=settings.CLONE_USERS.format("nova_upgrade")):
        settings.clone_users({}, "nova_upgrade")
