"""The runners, as an operator calls them on the Salt master: real ``salt-run``, real nodes, a real cluster."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.rehearsal import Rehearsal
from upgrader.lab import Lab

DATABASES = ["dbs01.lab.local", "dbs02.lab.local", "dbs03.lab.local"]


@pytest.fixture(scope="module")
def rehearsal(lab: Lab) -> Rehearsal:
    made = Rehearsal(lab)
    made.cfg.run(["salt", "*", "saltutil.sync_all"])
    return made


def run(rehearsal: Rehearsal, *words: str) -> tuple[int, Any]:
    ran = rehearsal.cfg.run(["salt-run", "--out=json", *words], check=False)
    assert "Traceback" not in ran.stdout + ran.stderr
    return ran.returncode, json.loads(ran.stdout)


@contextlib.contextmanager
def without(rehearsal: Rehearsal, *units: tuple[str, str]) -> Iterator[None]:
    """These units of these nodes stopped meanwhile."""
    try:
        for node, unit in units:
            rehearsal.lab.node(node).run(["systemctl", "stop", unit])
        yield
    finally:
        for node, unit in units:
            rehearsal.lab.node(node).run(["systemctl", "start", unit])


def test_nodes_of_a_role_are_those_of_the_model(rehearsal: Rehearsal) -> None:
    assert run(rehearsal, "upgrader.members", "database") == (0, DATABASES)
    code, roles = run(rehearsal, "upgrader.roles")
    assert code == 0 and roles["database"] == DATABASES and roles["upgrade"] == ["upg01.lab.local"]


def test_who_is_missing_is_named_with_exit_code_1(rehearsal: Rehearsal) -> None:
    assert run(rehearsal, "upgrader.missing") == (0, {"asked": 5, "answered": 5, "missing": [], "retcode": 0})
    with without(rehearsal, ("dbs02", "salt-minion")):
        code, said = run(rehearsal, "upgrader.missing", "database")
    assert (code, said) == (1, {"asked": 3, "answered": 2, "missing": ["dbs02.lab.local"], "retcode": 1})


def test_quorum_is_that_of_the_real_cluster(rehearsal: Rehearsal) -> None:
    code, said = run(rehearsal, "upgrader.quorum")
    assert (code, said["quorum"], said["spare"], said["findings"]) == (0, True, 1, [])
    with without(rehearsal, ("dbs02", "salt-minion"), ("dbs03", "salt-minion")):
        code, said = run(rehearsal, "upgrader.quorum")
    assert (code, said["quorum"], said["members"]["dbs03.lab.local"]) == (1, False, "silent")
    assert said["findings"][0]["rows"] == ["dbs02.lab.local", "dbs03.lab.local"]


def test_cloud_whose_model_names_no_controller_is_told_which_roles_it_has(rehearsal: Rehearsal) -> None:
    code, said = run(rehearsal, "upgrader.agents")
    assert code == 1 and said["error"].endswith("has no role control; it has backup, database, upgrade")


def test_stage_is_carried_out_by_state_orchestrate_as_the_plan_has_it(rehearsal: Rehearsal) -> None:
    """The rehearsal's gates, with real answers; a node that is silent then keeps away what needs it."""
    text = rehearsal.cfg.run(["upgrader", "plan", "control-plane", "--stage", "test-upgrade", "-o", "orch"]).stdout
    steps = yaml.safe_load(text)
    gates = {name: steps[name] for name in itertools.takewhile(lambda name: name != "store-ready", steps)}
    own = rehearsal.cfg.root / "srv/salt/reclass/nodes/cfg01.lab.local_master.yml"
    own.write_text("parameters: {orchestration: true}\n")
    file = rehearsal.cfg.root / "srv/salt/lab/orch/gates.sls"
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!yaml\n" + yaml.safe_dump(gates, sort_keys=False))
    try:
        assert failed(rehearsal) == {}
        with without(rehearsal, ("dbs03", "salt-minion")):
            told = failed(rehearsal)
    finally:
        own.unlink()
    assert "dbs03.lab.local: does not answer" in told["nodes-answer"]
    assert "cluster-state" in told and "formulas-served" in told


def failed(rehearsal: Rehearsal) -> dict[str, str]:
    """The steps that did not go well, and what is said of each."""
    ran = rehearsal.cfg.run(["salt-run", "--out=json", "state.orchestrate", "orch.gates"], check=False)
    [chunks] = json.loads(ran.stdout)["data"].values()
    assert isinstance(chunks, dict), chunks
    return {
        one["__id__"]: str((one.get("changes") or {}).get("return") or one["comment"])
        for one in chunks.values()
        if not one["result"]
    }
