"""``plan -o orch``: a stage for salt-run state.orchestrate does what the engine does, in its order, with its arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrader_node.errors import StepError
from upgrader_node.orchestrating import stepping

from tests.support.clouds import FACTS, lab_pillar
from tests.support.data_plane import data_plane_plan, rollout
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401  the fixtures
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.errors import UsageError
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Call, Options
from upgrader.report.orch import orchestration

STAGE = ("control-plane", "--stage", "test-upgrade")
RUN = "20170801T101500Z-1a2b"
Asked = list[tuple[str, tuple[str, ...], str]]


def asked(salt: SaltInMemory, run: str) -> Asked:  # noqa: F811
    """What was submitted, without the run's id, which no two runs share."""
    calls = [call for call, _ in salt.jobs.values()]
    return [
        (c.function, c.nodes, json.dumps(dict(c.args), sort_keys=True, default=list).replace(run, "RUN")) for c in calls
    ]


class Nodes:
    """Answers as ``SaltInMemory`` does, in the form that Salt's local client gives."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, Asked()

    def __call__(
        self, nodes: Sequence[str], function: str, args: Mapping[str, Any], timeout: int
    ) -> dict[str, dict[str, Any]]:
        kind = "state" if function.startswith("state.") else "module"
        call = Call(kind, function, tuple(nodes), dict(args))
        told = json.dumps(dict(args), sort_keys=True, default=list).replace(RUN, "RUN")
        self.asked.append((function, tuple(nodes), told))
        said = {node: self.answer(call, node) for node in nodes}
        return {node: {**one, "ret": one["return"]} for node, one in said.items() if one is not None}


def carried_out(text: str, nodes: Nodes, folder: Path, again: bool = False) -> list[str]:
    """As state.orchestrate goes through the file: in its order, a state whose requirement failed is passed over. The failures."""
    failed: list[str] = []
    for step, state in yaml.safe_load(text).items():
        told = {key: value for part in state["salt.runner"] for key, value in part.items()}
        assert told["name"] == "upgrader_step.call" and told["step"] == step
        if any(one["salt"] in failed for one in told.get("require", ())):
            failed.append(step)
            continue
        try:
            stepping.carry_out(told["run"], step, told["call"], stepping.kept(told["run"], str(folder)), nodes)
        except StepError:
            failed.append(step)
    return failed


def test_file_does_what_the_engine_does(command: Command, salt: SaltInMemory, tmp_path: Path) -> None:  # noqa: F811
    ran = command(*STAGE, "-o", "json")
    assert ran.code == 0
    engine = asked(salt, json.loads(ran.out)["run"])
    text = command("plan", *STAGE, "-o", "orch").out
    nodes = Nodes(salt.answer)
    run = yaml.safe_load(text)["nodes-answer"]["salt.runner"][1]["run"]
    text = text.replace(run, RUN)
    assert carried_out(text, nodes, tmp_path / "orch") == []
    # The engine asks for progress on the way, which only informs. What it does in lanes is done here lane after lane.
    did = [one for one in engine if not one[0].startswith("upgrader_progress.")]
    assert sorted(nodes.asked) == sorted(did)
    for service in ("keystone", "nova", "heat"):
        of_lane = f'"service": "{service}"'
        assert [one for one in nodes.asked if of_lane in one[2]] == [one for one in did if of_lane in one[2]]
    assert [one for one in nodes.asked if '"service"' not in one[2]] == [
        one for one in did if '"service"' not in one[2]
    ]


def plan_text() -> str:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    return orchestration(make_plan(cloud, "control-plane", "test-upgrade", FACTS, Options()), RUN)


def good(call: Call, node: str) -> dict[str, Any]:
    values = {"counts": {}, "load": 1.0, "exports": {}, "logical": []}
    return {"return": {"a": {"result": True}} if call.kind == "state" else values, "retcode": 0}


def test_what_a_failed_step_is_needed_for_is_not_done_and_what_runs_in_any_case_is(tmp_path: Path) -> None:
    def answer(call: Call, node: str) -> dict[str, Any]:
        broken = call.function == "upgrader_backup.create"
        return {"return": "ERROR: the disk is full", "retcode": 1} if broken else good(call, node)

    nodes = Nodes(answer)
    failed = carried_out(plan_text(), nodes, tmp_path)
    functions = [function for function, _, _ in nodes.asked]
    assert "backup-create" in failed and "upgrader_store.prove" not in functions
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    always = [s for s in make_plan(cloud, "control-plane", "test-upgrade", FACTS, Options()).steps() if s.always]
    assert always and not {step.id for step in always} & set(failed)


def test_file_that_is_run_again_asks_gates_anew_and_does_no_work_twice(tmp_path: Path) -> None:
    first, second = Nodes(good), Nodes(good)
    assert carried_out(plan_text(), first, tmp_path) == carried_out(plan_text(), second, tmp_path) == []
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    steps = list(make_plan(cloud, "control-plane", "test-upgrade", FACTS, Options()).steps())
    gates = {step.call.function for step in steps if step.phase == "gate" or step.anew}
    assert {function for function, _, _ in second.asked} <= gates
    assert len(first.asked) > len(second.asked) > 5


def test_answers_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    carried_out(plan_text(), Nodes(good), tmp_path)
    files = list((tmp_path / RUN).iterdir())
    assert files and all(path.stat().st_mode & 0o77 == 0 for path in [tmp_path / RUN, *files])


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        ("module", None, "does not answer"),
        ("module", {"ret": "ERROR: no", "retcode": 1}, "no"),
        ("module", {"ret": "x", "success": False}, "x"),
        ("module", {"ret": {"findings": [{"severity": "blocker", "what": "w", "remedy": "r"}]}, "retcode": 0}, "w; r"),
        ("module", {"ret": {"findings": [{"severity": "warning", "what": "w"}]}, "retcode": 0}, ""),
        ("state", {"ret": {"a": {"result": False, "comment": "broken"}}, "retcode": 0}, "broken"),
        ("state", {"ret": ["No matching sls found"], "retcode": 1}, "No matching sls"),
        ("state", {"ret": {}, "retcode": 0}, "returned nothing"),
        ("state", {"ret": {"a": {"result": True}}, "retcode": 0}, ""),
    ],
)
def test_answers_that_a_stage_does_not_go_on_with(kind: str, answer: Any, words: str) -> None:
    said = stepping.failure(kind, answer)
    assert words in said and bool(said) == bool(words)


def test_step_that_refers_to_one_that_was_not_done_says_so(tmp_path: Path) -> None:
    call = {
        "kind": "module",
        "function": "f",
        "nodes": ["a"],
        "args": {"counts": {"$reply": "rows-counted", "key": "counts"}},
    }
    with pytest.raises(StepError, match="step rows-counted has not answered 'counts' in this run"):
        stepping.carry_out(RUN, "later", call, stepping.kept(RUN, str(tmp_path)), Nodes(good))


def test_batches_stop_where_one_fails(tmp_path: Path) -> None:
    nodes = Nodes(lambda call, node: {"return": {}, "retcode": int(node == "b")})
    call = {"kind": "module", "function": "f", "nodes": ["a", "b", "c"], "batch": 1}
    with pytest.raises(StepError, match="step s: b: "):
        stepping.carry_out(RUN, "s", call, stepping.kept(RUN, str(tmp_path)), nodes)
    assert [asked for _, asked, _ in nodes.asked] == [("a",), ("b",)]


def test_run_that_is_no_plain_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError):
        stepping.kept("../../etc", str(tmp_path))


def test_stage_that_goes_over_nodes_in_batches_is_the_engines() -> None:
    plan = data_plane_plan("test", rollout())
    with pytest.raises(UsageError, match="data-plane"):
        orchestration(plan, RUN)
