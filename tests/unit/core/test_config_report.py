"""The config report of ``upgrader preflight``: a table for each controller that the model names, nothing where it names none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.clouds import FACTS, lab_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401  the fixtures
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.errors import Refused
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Options
from upgrader.report.options import options_text

CTL = ["ctl01.lab.local", "ctl02.lab.local"]
ROW = {
    "service": "nova", "file": "/etc/nova/nova.conf", "group": "DEFAULT", "option": "scheduler_default_filters",
    "kind": "renamed", "what": "nova 15.1.5 (Ocata) calls it [filter_scheduler]/enabled_filters",
    "remedy": "write [filter_scheduler]/enabled_filters", "severity": "warning",
}  # fmt: skip
WARNING = {
    "id": "options-nova",
    "severity": "warning",
    "subject": "nova",
    "what": "1 renamed",
    "remedy": "see",
    "count": 1,
}
REPORT = {"comment": "1 options", "releases": {"nova": "nova 15.1.5 (Ocata)"}, "options": [ROW], "findings": [WARNING]}


@pytest.fixture
def controllers(salt: SaltInMemory) -> dict[str, Any]:  # noqa: F811
    """What each controller answers; a test may change it."""
    salt.pillar["cfg01.lab.local"]["upgrader"]["nodes"]["control"] = CTL
    said: dict[str, Any] = {node: {"return": dict(REPORT), "retcode": 0} for node in CTL}
    good = salt.answer

    def answer(call: Any, node: str) -> Any:
        if call.function == "upgrader_preflight.databases":
            return {"return": {"comment": "asked", "findings": []}, "retcode": 0}
        return said[node] if call.function == "upgrader_options.report" else good(call, node)

    salt.answer = answer
    return said


def test_every_controller_has_its_table(command: Command, controllers: dict[str, Any]) -> None:  # noqa: F811
    ran = command("preflight")
    assert ran.code == 0
    assert all(f"{node}, nova against nova 15.1.5 (Ocata):" in ran.out for node in CTL)
    assert ran.out.count("scheduler_default_filters") == 2


def test_json_carries_every_row_by_node(command: Command, controllers: dict[str, Any]) -> None:  # noqa: F811
    document = json.loads(command("preflight", "-o", "json").out)
    assert document["controllers"] == dict.fromkeys(CTL, REPORT)
    assert document["refused"] is False


def test_blocker_of_a_controller_is_three(command: Command, controllers: dict[str, Any]) -> None:  # noqa: F811
    blocker = {**WARNING, "severity": "blocker", "what": "keystone does not start with it"}
    controllers[CTL[1]]["return"]["findings"] = [blocker]
    ran = command("preflight", "-o", "json")
    assert ran.code == 3
    assert json.loads(ran.out)["refused"] is True


def test_controller_that_fails_is_three_and_the_other_is_shown(command: Command, controllers: dict[str, Any]) -> None:  # noqa: F811
    controllers[CTL[0]] = {"return": "ERROR: /etc/nova/nova.conf cannot be read", "retcode": 1}
    ran = command("preflight")
    assert ran.code == 3
    assert "lacks a controller: /etc/nova/nova.conf cannot be read" in " ".join(ran.out.split())
    assert "ctl02.lab.local, nova against" in ran.out


def test_controller_without_a_report_is_no_pass(command: Command, controllers: dict[str, Any]) -> None:  # noqa: F811
    controllers[CTL[0]] = {"return": {}, "retcode": 0}
    assert command("preflight").code == 3


def test_model_without_controllers_is_said_in_one_line(command: Command, salt: SaltInMemory) -> None:  # noqa: F811
    salt.answer = lambda call, node: {"return": {"comment": "asked", "findings": []}, "retcode": 0}
    ran = command("preflight")
    assert "config report: pillar upgrader:nodes:control names no controller" in ran.out
    assert "upgrader_options.report" not in salt.submitted


def test_controllers_are_asked_at_the_gate_of_a_rehearsal_and_nowhere_else() -> None:
    pillar = lab_pillar()
    pillar["cfg01.lab.local"]["upgrader"]["nodes"]["control"] = CTL
    cloud = cloud_from_pillar(pillar, "cfg01.lab.local")
    named = [
        s for s in make_plan(cloud, "control-plane", "test-upgrade", FACTS, Options()).steps() if CTL[0] in s.call.nodes
    ]
    assert {step.phase for step in named} == {"gate"}
    assert "config-report" in [step.id for step in named]
    assert not [step.id for step in named if step.call.kind != "module"]


def test_controllers_that_are_no_list_are_refused() -> None:
    pillar = lab_pillar()
    pillar["cfg01.lab.local"]["upgrader"]["nodes"]["control"] = "ctl01"
    with pytest.raises(Refused, match="upgrader:nodes:control"):
        cloud_from_pillar(pillar, "cfg01.lab.local")


def test_table_stays_within_80_columns() -> None:
    long = {**ROW, "group": "oslo_messaging_notifications_of_long_name", "what": "x" * 300, "remedy": "y" * 300}
    text = options_text({CTL[0]: {**REPORT, "options": [ROW, long, {**ROW, "kind": "default-changed"}]}})
    assert max(len(line) for line in text.splitlines()) <= 80
