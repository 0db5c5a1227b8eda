"""The phases are data that plans and minions share: what a plan names, a minion knows."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import upgrader_phases as phases
import upgrader_schema_driver as driver
import yaml
from upgrader_conf import StepError

from tests.support.clouds import lab_pillar
from upgrader.model.cloud import cloud_from_pillar
from upgrader.plan.services import SERVICES, schema_steps, source_versions
from upgrader.plan.step import Plan, Stage, check_plan, plan_from_json

FORMULAS = Path(__file__).parents[3] / "formulas"


@pytest.mark.parametrize("service", SERVICES)
def test_every_phase_has_its_work_and_no_work_is_without_phase(service: str) -> None:
    assert list(driver.WORKS[service]) == [phase.id for phase in phases.PHASES[service]]


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_sls_runs_the_phases_in_their_order(service: str) -> None:
    states = yaml.safe_load((FORMULAS / service / "upgrade.sls").read_text())
    assert states.pop("include") == [f"{service}.configured"]
    arguments = [
        {k: v for one in state["upgrader_schema.phase_done"] for k, v in one.items()} for state in states.values()
    ]
    assert [one["phase"] for one in arguments] == [phase.id for phase in phases.PHASES[service]]
    required = [next(iter(one["require"][0].values())) for one in arguments]
    assert required == [f"{service}.configured", *list(states)[:-1]]


@pytest.mark.parametrize("service", SERVICES)
def test_a_plan_has_one_step_for_each_phase_on_the_upgrade_node(service: str) -> None:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    steps = schema_steps(cloud, service, ())
    assert [step.id for step in steps] == [f"{service}-{phase.id}" for phase in phases.PHASES[service]]
    assert all(step.call.nodes == ("upg01.lab.local",) and step.title.startswith(f"{service}: ") for step in steps)
    assert steps[0].needs == () and all(step.needs == (before.id,) for before, step in itertools.pairwise(steps))
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("test-upgrade", "x", steps),))
    check_plan(plan)
    assert plan_from_json(plan.to_json()) == plan


def test_the_first_phase_waits_for_what_the_plan_asks() -> None:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    assert schema_steps(cloud, "heat", ("heat-configure",))[0].needs == ("heat-configure",)


def test_sources_are_said_in_a_way_that_json_keeps() -> None:
    found = source_versions(cloud_from_pillar(lab_pillar(), "cfg01.lab.local"))
    assert found == {"keystone": {"keystone": 97}, "glance": 44, "cinder": 72, "neutron": "4ffceebfcdc", "heat": 71}


@pytest.mark.parametrize(
    ("service", "phase", "words"), [("nova", "x", "no service 'nova'"), ("heat", "x", "known: ocata, head")]
)
def test_what_is_not_there_is_refused_with_what_is(service: str, phase: str, words: str) -> None:
    with pytest.raises(StepError, match=words):
        driver.known(service, phase)
