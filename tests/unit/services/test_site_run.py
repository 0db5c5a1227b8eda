"""Applying a site's SLS: when it is tried again, and when not. A script of ours stands for the site's salt-call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.host.settings import Site
from upgrader_node.site import run

PASSED = {"cmd_|-a_|-a_|-run": {"__id__": "a", "result": True, "changes": {}, "comment": ""}}
FAILED = {"cmd_|-a_|-a_|-run": {"__id__": "a", "result": False, "changes": {}, "comment": "HTTP 401"}}


def site(folder: Path, *answers: Any) -> Site:
    """A salt-call that gives these answers, one after the other."""
    for number, answer in enumerate(answers):
        (folder / f"answer{number}").write_text(answer if isinstance(answer, str) else json.dumps({"local": answer}))
    script = folder / "salt-call"
    script.write_text(
        f'#!/bin/sh\ncd {folder}\nn=$(cat calls 2>/dev/null || echo 0)\necho $((n + 1)) > calls\necho "$@" >> words\ncat answer$n\n'
    )
    script.chmod(0o755)
    return Site(str(script), str(folder))


def calls(folder: Path) -> int:
    return int((folder / "calls").read_text())


def test_states_that_failed_are_applied_once_more_and_the_first_failure_is_told(tmp_path: Path) -> None:
    done, told = run.applied(site(tmp_path, FAILED, PASSED), ["keystone.server"], 60, 2, 0)
    assert done.states == 1
    assert told == ["1 of 1 states of the site's keystone.server failed: a (cmd.run): HTTP 401"]
    assert calls(tmp_path) == 2


def test_states_that_fail_every_time_are_the_failure(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="HTTP 401"):
        run.applied(site(tmp_path, FAILED, FAILED, PASSED), ["keystone.server"], 60, 2, 0)
    assert calls(tmp_path) == 2


@pytest.mark.parametrize(
    "answer", [["No matching sls found for 'x' in env 'base'"], {}, "", "'state.sls' is not available."]
)
def test_what_is_no_state_run_is_not_tried_again(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(StepError):
        run.applied(site(tmp_path, answer, PASSED), ["keystone.server"], 60, 2, 0)
    assert calls(tmp_path) == 1


def test_release_of_the_sites_salt_is_read(tmp_path: Path) -> None:
    assert run.version(site(tmp_path, "salt-call 2017.7.8 (Nitrogen)\n")) == "2017.7.8"


@pytest.mark.parametrize("said", ["", "salt-call: broken"])
def test_program_that_is_no_salt_call_is_told(tmp_path: Path, said: str) -> None:
    with pytest.raises(StepError, match="salt-call --version ended with exit code 0"):
        run.version(site(tmp_path, said))
    with pytest.raises(
        StepError, match=r"/not/there cannot be run \(No such file or directory\): pillar upgrader:site:command"
    ):
        run.version(Site("/not/there", "/etc/salt"))
