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


@pytest.fixture
def plan(rehearsal: Rehearsal) -> Iterator[dict[str, Any]]:
    """The rehearsal as steps of orchestration; the model knows the node whose pillar Salt compiles for the master itself."""
    own = rehearsal.cfg.root / "srv/salt/reclass/nodes/cfg01.lab.local_master.yml"
    own.write_text("parameters: {orchestration: true}\n")
    yield yaml.safe_load(
        rehearsal.cfg.run(["upgrader", "plan", "control-plane", "--stage", "test-upgrade", "-o", "orch"]).stdout
    )
    own.unlink()


def failed(rehearsal: Rehearsal, steps: dict[str, Any]) -> dict[str, str]:
    """The steps that did not go well by state.orchestrate, and what is said of each."""
    file = rehearsal.cfg.root / "srv/salt/lab/orch/stage.sls"
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!yaml\n" + yaml.safe_dump(steps, sort_keys=False))
    words = ["salt-run", "--out=json", "state.orchestrate", "orch.stage"]
    [chunks] = json.loads(rehearsal.cfg.run(words, check=False, timeout=3600).stdout)["data"].values()
    assert isinstance(chunks, dict), chunks
    return {
        one["__id__"]: str((one.get("changes") or {}).get("return") or one["comment"])
        for one in chunks.values()
        if not one["result"]
    }


@pytest.mark.soak
def test_gates_of_a_stage_are_asked_by_state_orchestrate_and_a_silent_node_keeps_away_what_needs_it(
    rehearsal: Rehearsal, plan: dict[str, Any]
) -> None:
    gates = {name: plan[name] for name in itertools.takewhile(lambda name: name != "store-ready", plan)}
    assert failed(rehearsal, gates) == {}
    with without(rehearsal, ("dbs03", "salt-minion")):
        told = failed(rehearsal, gates)
    assert "dbs03.lab.local: does not answer" in told["nodes-answer"]
    assert "cluster-state" in told and "formulas-served" in told


@pytest.mark.soak
def test_whole_rehearsal_is_carried_out_by_state_orchestrate(rehearsal: Rehearsal, plan: dict[str, Any]) -> None:
    """Without the engine: no journal of it, and the copy is at Ocata's schemas."""
    journals = rehearsal.journals()
    assert failed(rehearsal, plan) == {}
    assert rehearsal.scalar("SELECT version FROM nova_upgrade.migrate_version") == 347
    assert rehearsal.scalar("SELECT version FROM nova.migrate_version") == 319
    assert rehearsal.journals() == journals
