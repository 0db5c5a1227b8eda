"""The rehearsal's steps say what they really need, so that one service's fault hides no other's."""

from __future__ import annotations

import pytest

from tests.support.clouds import FACTS, lab_pillar
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.plan.blocks.shapes import READY
from upgrader.plan.stages import make_plan
from upgrader.plan.step import ANEW, COPY, GATE, LIVE, NODE, Step

CLOUD = cloud_from_pillar(lab_pillar(), "cfg01.lab.local")
STEPS = {step.id: step for step in make_plan(CLOUD, "control-plane", "test-upgrade", FACTS).steps()}
SERVICES = ("keystone", "glance", "nova", "cinder", "neutron", "heat")


def needed(identity: str) -> set[str]:
    """Everything that has to be settled before this step, at any distance."""
    direct = set(STEPS[identity].needs)
    return direct.union(*(needed(need) for need in direct)) if direct else direct


def of(service: str) -> set[str]:
    return {step for step in STEPS if step.startswith(f"{service}-") or step == f"verify-{service}"}


@pytest.mark.parametrize("service", SERVICES)
def test_phases_of_a_service_need_the_baseline_and_no_other_service(service: str) -> None:
    others = set().union(*(of(other) for other in SERVICES if other != service))
    for step in of(service):
        assert "baseline" in needed(step), step
        assert not needed(step) & others, step


@pytest.mark.parametrize("service", SERVICES)
def test_verification_of_a_service_needs_all_of_its_phases(service: str) -> None:
    assert of(service) - {f"verify-{service}"} <= needed(f"verify-{service}")


def test_start_of_the_controller_needs_every_service_verified() -> None:
    assert {f"verify-{service}" for service in SERVICES} <= needed("services-start")
    assert "services-start" in needed("verify-cloud")


def test_baseline_needs_the_proven_backup_in_clones_that_equal_it() -> None:
    assert {"backup-create", "backup-prove", "clone-load", "clone-fill", "clone-verify"} <= needed("baseline")


def test_every_step_that_works_says_what_it_needs() -> None:
    unsaid = [step.id for step in STEPS.values() if step.phase != GATE and not step.needs]
    assert unsaid == []


def test_gates_that_ask_something_need_current_modules_and_pillar_and_no_other_gate() -> None:
    common = {"nodes-answer", "modules-synced", *READY}
    for step in STEPS.values():
        if step.phase == GATE and step.id not in common:
            assert set(step.needs) == set(READY), step.id


def mended(step: Step) -> str:
    if step.phase == GATE:
        return LIVE
    if step.id == "verify-egress":
        return ANEW
    schema = any(step.id in of(service) for service in SERVICES)
    return (
        COPY
        if schema or step.id.startswith(("clone-load", "clone-fill", "clone-verify", "baseline", "probe-", "verify-"))
        else NODE
    )


def test_where_each_steps_fault_is_mended() -> None:
    assert {step.id: step.mends for step in STEPS.values()} == {step.id: mended(step) for step in STEPS.values()}


PROBED = ("nova", "cinder", "heat")


@pytest.mark.parametrize("service", SERVICES)
def test_a_probe_stands_between_the_baseline_and_its_own_services_phases_only(service: str) -> None:
    probes = {step for step in STEPS if step.startswith("probe-")}
    own = {f"probe-{service}"} if service in PROBED else set()
    assert probes == {f"probe-{name}" for name in PROBED}
    for step in of(service):
        assert needed(step) & probes == own, step
    for step in own:
        assert "baseline" in STEPS[step].needs and not needed(step) & probes
