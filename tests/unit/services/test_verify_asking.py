"""Whose account the verification uses, what it compares with, and what becomes of a session that breaks."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.verify import ask, baseline

KEYSTONE = {
    "database": {"name": "keystone_upgrade"}, "bind": {"public_address": "10.0.0.90"},
    "admin_name": "upgrader", "admin_password": "s3cret",
}  # fmt: skip


def asked(**given: Any) -> ask.Asked:
    return ask.Asked(**{"cloud": "", "openrc": "", "change": True, "patience": 1, "timeout": 1, **given})


def account(pillar: dict[str, Any], **given: Any) -> Any:
    return ask._account(pillar, asked(**given), ask.is_copy(pillar), None)


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
