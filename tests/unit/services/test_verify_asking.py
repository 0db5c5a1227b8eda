"""Whose account the verification uses, what it compares with, and what becomes of a session that breaks."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.verify import ask, baseline, client

KEYSTONE = {
    "database": {"name": "keystone_upgrade"}, "bind": {"public_address": "10.0.0.90"},
    "admin_name": "upgrader", "admin_password": "s3cret",
}  # fmt: skip


def asked(**given: Any) -> ask.Asked:
    return ask.Asked(**{"cloud": "", "openrc": "", "change": True, "patience": 1, "timeout": 1, **given})


def account(pillar: dict[str, Any], **given: Any) -> Any:
    return ask._account(pillar, asked(**given), None)


def test_a_copy_is_asked_with_its_own_account() -> None:
    auth, whose = account({"keystone": {"server": KEYSTONE}})
    assert (auth["auth_url"], auth["username"], auth["project_name"]) == (
        "http://10.0.0.90:5000/v3",
        "upgrader",
        "service",
    )
    assert whose == "the copy's own account upgrader"


def test_a_cloud_that_is_no_copy_needs_a_named_account() -> None:
    pillar = {"keystone": {"server": {**KEYSTONE, "database": {"name": "keystone"}}}}
    with pytest.raises(StepError, match="name an account: this node serves no copy"):
        account(pillar)


def ended(out: str, err: str = "", code: int = 0) -> CompletedProcess[bytes]:
    return CompletedProcess([], code, out.encode(), err.encode())


def test_the_last_line_is_the_result_and_a_broken_session_says_its_last_word_without_the_password() -> None:
    assert ask._result(ended('noise\n{"calls": []}\n'), ["s3cret"]) == {"calls": []}
    with pytest.raises(StepError, match=r"ended with exit code 1: boom \*\*\*$"):
        ask._result(ended("", "Traceback\nboom s3cret\n", 1), ["s3cret"])
    with pytest.raises(StepError, match=r"^no way with \*\*\*$"):
        ask._result(ended(json.dumps({"failed": "no way with s3cret"})), ["s3cret"])


def test_the_newest_baseline_is_compared_with_unless_one_is_named_or_none(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert baseline.chosen(folder, "") == ""
    for run in ("20170801T1", "20170802T1"):
        (tmp_path / f"{run}.json").write_text("{}")
    assert baseline.chosen(folder, "").endswith("/20170802T1.json")
    assert baseline.chosen(folder, "20170801T1").endswith("/20170801T1.json")
    assert baseline.chosen(folder, "none") == ""
    with pytest.raises(StepError, match="no baseline of run other on this node"):
        baseline.chosen(folder, "other")


@pytest.mark.parametrize("run", ["", "../etc/passwd", "a b", "a/b"])
def test_a_run_id_that_leads_elsewhere_is_refused(run: str) -> None:
    with pytest.raises(StepError, match="is no run id"):
        baseline.path_of("/var", run)


PRODUCTION: dict[str, Any] = {
    "keystone": {"server": {**KEYSTONE, "database": {"name": "keystone"}, "admin_tenant": "admin"}},
    "nova": {"controller": {"bind": {}, "database": {}}},
    "upgrader": {"production": True},
}


def place(pillar: dict[str, Any], **given: Any) -> Any:
    return ask._place(pillar, asked(**given), ["ctl01"])


def test_production_is_asked_by_its_administrator_at_its_own_address_or_through_one_controller() -> None:
    auth, whose = account(PRODUCTION)
    assert (auth["auth_url"], auth["project_name"]) == ("http://10.0.0.90:5000/v3", "admin")
    assert whose == "production's account upgrader"
    auth, _ = account(PRODUCTION, through="10.0.0.11")
    assert auth["auth_url"] == "http://10.0.0.11:5000/v3"


def test_of_production_neither_this_node_nor_services_it_never_had_are_demanded() -> None:
    order = place(PRODUCTION)
    assert (order["copy"], order["own"], order["interface"]) == (False, [], "internal")
    assert order["kinds"] == ["identity", "compute", "placement"]
    assert place(PRODUCTION, interface="public", through="prx01")["interface"] == "public"


def test_a_copy_is_held_to_all_of_it_whatever_else_pillar_says() -> None:
    order = place({"keystone": {"server": KEYSTONE}})
    assert (order["copy"], order["own"], order["interface"], len(order["kinds"])) == (True, ["ctl01"], "public", 9)
    assert order["interfaces"] == ["public", "internal", "admin"]
    with pytest.raises(
        StepError, match="calls this node a controller of production, but keystone works on keystone_upgrade"
    ):
        place({"keystone": {"server": KEYSTONE}, "upgrader": {"production": True}})


@pytest.mark.parametrize(
    ("through", "url"),
    [
        ("", "http://10.0.0.10:8774/v2.1/p"),
        ("10.0.0.11", "http://10.0.0.11:8774/v2.1/p"),
        ("https://prx01", "https://prx01:8774/v2.1/p"),
    ],
)
def test_another_host_keeps_port_and_path(through: str, url: str) -> None:
    assert client.elsewhere("http://10.0.0.10:8774/v2.1/p", through) == url


def test_own_is_where_this_controller_itself_listens() -> None:
    bind = {"keystone": {"server": {"bind": {"address": "10.0.0.12", "public_address": "10.0.0.10"}}}}
    assert (
        ask.host_of(bind, "own") == "10.0.0.12" and ask.host_of(bind, "prx01") == "prx01" and ask.host_of({}, "") == ""
    )
    with pytest.raises(StepError, match="name the host to ask by its address"):
        ask.host_of({"keystone": {"server": {"bind": {"address": "0.0.0.0"}}}}, "own")


def test_a_baseline_goes_to_a_node_that_is_built_anew(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    text = json.dumps({"run": "r1", "taken_at": "then", "resources": {"images": {"a": {"name": "x"}}}})
    (old / "r1.json").write_text(text)
    given = baseline.packed(str(old), "r1")["baseline"]
    assert baseline.unpack(str(new), "r1", given)["changed"]
    assert (
        json.loads((new / "r1.json").read_text()) == json.loads(text) and (new / "r1.json").stat().st_mode & 0o77 == 0
    )
    assert not baseline.unpack(str(new), "r1", given)["changed"]
    (new / "r1.json").write_text(text.replace("x", "y"))
    with pytest.raises(StepError, match="is there and says otherwise"):
        baseline.unpack(str(new), "r1", given)
    for wrong in ("", "abc", given[:-8]):
        with pytest.raises(StepError, match="is no packed baseline of run r2"):
            baseline.unpack(str(new), "r2", wrong)
    with pytest.raises(StepError, match="no baseline of run r9 on this node"):
        baseline.packed(str(new), "r9")


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ({"address": "10.0.0.11", "private_address": "10.0.0.9"}, "10.0.0.11"),
        ({"private_address": "10.0.0.12"}, "10.0.0.12"),
        ({"address": "0.0.0.0", "private_address": "10.0.0.12"}, "10.0.0.12"),
    ],
)
def test_own_services_are_asked_where_this_node_listens(bind: dict[str, str], host: str) -> None:
    assert ask.host_of({"keystone": {"server": {"bind": bind}}}, "own") == host


def test_own_services_without_an_address_of_their_own_cannot_be_asked_so() -> None:
    with pytest.raises(StepError, match="names no address of this node"):
        ask.host_of({"keystone": {"server": {"bind": {"address": "0.0.0.0"}}}}, "own")
