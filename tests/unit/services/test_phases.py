"""The release path is data that plans and minions share: what a plan names, a minion knows."""

from __future__ import annotations

import itertools

import pytest
from upgrader_node.upgrade.services import SERVICES

from tests.support import formulas
from tests.support.clouds import lab_pillar
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.cloud.release import release_path
from upgrader.plan.blocks.schemas import schema_steps, source_versions
from upgrader.plan.step import Options, Plan, Stage, plan_from_json

PATH = release_path("mitaka", "ocata")


@pytest.mark.parametrize("service", PATH.services)
def test_every_phase_has_its_work_and_no_work_is_without_phase(service: str) -> None:
    assert {phase.work for phase in PATH.service(service).phases} == set(SERVICES[service].works)


@pytest.mark.parametrize("service", PATH.services)
def test_the_services_sls_runs_the_phases_in_their_order(service: str) -> None:
    states = formulas.states(f"upgrader.{service}.upgrade")
    assert states.pop("include") == [f"upgrader.{service}.configured"]
    (state,) = states.values()
    assert formulas.arguments(state, "upgrader_schema.upgraded")["service"] == service


@pytest.mark.parametrize("service", PATH.services)
def test_a_plan_has_one_step_for_each_phase_on_the_upgrade_node(service: str) -> None:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    steps = schema_steps(cloud, service, (), Options())
    wanted = [phase.id for phase in PATH.service(service).phases if not phase.option]
    assert [step.id for step in steps] == [f"{service}-{phase}" for phase in wanted]
    assert [step.call.args for step in steps] == [{"service": service, "phase": phase} for phase in wanted]
    assert all(step.call.nodes == ("upg01.lab.local",) and step.title.startswith(f"{service}: ") for step in steps)
    assert steps[0].needs == () and all(step.needs == (before.id,) for before, step in itertools.pairwise(steps))
    plan = Plan("lab", "mitaka", "ocata", "control-plane", (Stage("test-upgrade", "x", steps),))
    assert plan_from_json(plan.to_json()) == plan


def test_the_first_phase_waits_for_what_the_plan_asks() -> None:
    cloud = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
    assert schema_steps(cloud, "heat", ("heat-configure",), Options())[0].needs == ("heat-configure",)


def test_sources_are_said_in_a_way_that_json_keeps() -> None:
    assert source_versions(cloud_from_pillar(lab_pillar(), "cfg01.lab.local")) == {
        "keystone": {"keystone": 97}, "glance": 44, "nova": 319, "nova_api": 7, "cinder": 72, "neutron": "4ffceebfcdc", "heat": 71,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("service", "phase", "words"), [("swift", "x", "no service 'swift'"), ("heat", "x", "known: ocata, head")]
)
def test_what_is_not_there_is_refused_with_what_is(service: str, phase: str, words: str) -> None:
    with pytest.raises(KeyError, match=words):
        PATH.service(service).phase(phase)
