"""Plans are pure data: the same cloud gives the same bytes, and what cannot run is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clouds import FACTS, lab_pillar
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.errors import InDoubt, UsageError
from upgrader.plan.references import RUN_ID, bind, least_of, reply_of
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Call, Plan, plan_from_json
from upgrader.report.text import plan_text

GOLDEN = Path(__file__).parents[2] / "plans"


@pytest.fixture
def plan() -> Plan:
    return make_plan(cloud_from_pillar(lab_pillar(), "cfg01.lab.local"), "control-plane", "test-upgrade", FACTS)


def test_plan_survives_json_byte_for_byte(plan: Plan) -> None:
    again = plan_from_json(plan.to_json())
    assert again == plan
    assert again.to_json() == plan.to_json()
    assert again.digest == plan.digest


def test_same_cloud_gives_the_same_digest(plan: Plan) -> None:
    other = make_plan(cloud_from_pillar(lab_pillar(), "cfg01.lab.local"), "control-plane", "test-upgrade", FACTS)
    assert other.digest == plan.digest


def test_other_facts_give_another_digest(plan: Plan) -> None:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    for other in ("modules", "formulas", "pillar"):
        changed = replace(FACTS, **{other: "e" * 64})
        assert make_plan(cloud, "control-plane", "test-upgrade", changed).digest != plan.digest


def test_plan_of_the_lab_reads_like_the_golden_file(plan: Plan) -> None:
    assert plan_text(plan) + "\n" == (GOLDEN / "lab-test-upgrade.txt").read_text()


def test_plan_holds_no_password(plan: Plan) -> None:
    assert "secret" not in plan.to_json()


def test_unknown_stage_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown stage 'nonsense'.*control-plane test-upgrade"):
        make_plan(cloud_from_pillar(lab_pillar(), "cfg01.lab.local"), "control-plane", "nonsense", FACTS)


def test_plan_of_another_version_is_refused(plan: Plan) -> None:
    raw = json.loads(plan.to_json())
    raw["plan_schema"] = 99
    with pytest.raises(UsageError, match="another version"):
        plan_from_json(json.dumps(raw))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"plan_schema": 1}', '{"plan_schema": 1, "cloud": "x", "stages": [{}]}']
)
def test_garbage_is_no_plan(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        plan_from_json(text)


def test_references_are_replaced_by_run_and_replies() -> None:
    call = Call(
        "module", "f", ("a",), {"receipt": RUN_ID, "deep": [{"counts": reply_of("prove", "counts")}], "plain": 3}
    )
    bound = bind(call, "run-1", {"prove": {"cfg01": {"counts": {"nova": 1}}}})
    assert bound.args == {"receipt": "run-1", "deep": [{"counts": {"nova": 1}}], "plain": 3}


def test_reference_to_an_answer_that_is_not_there_is_in_doubt() -> None:
    with pytest.raises(InDoubt, match="prove is recorded as done but no node's answer has 'counts'"):
        bind(Call("module", "f", ("a",), {"x": reply_of("prove", "counts")}), "run-1", {"prove": {"cfg01": None}})


def test_call_is_narrowed_to_the_least_busy_node_and_never_the_first_among_equals() -> None:
    call = Call("module", "f", ("a", "b", "c"), only=least_of("state", "load"))
    answers = {node: {"load": load} for node, load in (("a", 5.0), ("b", 2.0), ("c", 2.0))}
    assert bind(call, "run-1", {"state": answers}).nodes == ("c",)
    assert bind(call, "run-1", {"state": {**answers, "c": {"load": 9.0}}}).nodes == ("b",)


def test_call_that_cannot_be_narrowed_is_in_doubt() -> None:
    call = Call("module", "f", ("a", "b"), only=least_of("state", "load"))
    with pytest.raises(InDoubt, match="no node's answer has 'load'"):
        bind(call, "run-1", {"state": {"a": None}})


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (Call("state", "state.apply", ("a",), {"mods": "one"}), "state.apply one"),
        (Call("state", "state.apply", ("a",), {"mods": "one,two,three"}), "state.apply one and 2 more"),
        (Call("state", "state.highstate", ("a",)), "state.highstate"),
        (Call("module", "do.it", ("a",), {"mods": "not a state's"}), "do.it"),
    ],
)
def test_call_is_shown_in_a_few_words(call: Call, shown: str) -> None:
    assert str(call) == shown
