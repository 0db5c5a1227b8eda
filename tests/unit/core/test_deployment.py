"""Deployments as data: what they put into a plan, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clouds import lab_pillar
from upgrader.cloud.cloud import Cloud, cloud_from_pillar
from upgrader.cloud.deployment import deployment
from upgrader.content import FORMULAS
from upgrader.errors import Refused
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Facts, Plan, Step
from upgrader.transport.master import MasterTransport

CFG = "cfg01.lab.local"


def cloud(name: str = "", without: str = "") -> Cloud:
    pillar = lab_pillar()
    if name:
        pillar[CFG]["upgrader"]["deployment"] = name
    if without:
        del pillar["upg01.lab.local"][without]
    return cloud_from_pillar(pillar, CFG)


def plan(name: str, without: str = "") -> Plan:
    return make_plan(cloud(name, without), "control-plane", "test-upgrade", Facts())


def steps(name: str, without: str = "") -> dict[str, Step]:
    return {step.id: step for step in plan(name, without).steps()}


def before(found: dict[str, Step], step: str) -> set[str]:
    """Everything that must have ended well before a step."""
    needs = set(found[step].needs)
    return needs.union(*(before(found, one) for one in needs)) if needs else needs


def test_our_own_states_are_the_deployment_that_nobody_named() -> None:
    assert cloud().deployment == cloud("builtin").deployment
    assert not any("upgrader_site" in step.call.function for step in plan("").steps())


def test_a_sites_formulas_configure_before_the_schemas_and_start_after_every_one_is_verified() -> None:
    found = steps("mcp")
    check_plan(plan("mcp"), Ground(MasterTransport.kinds, catalogue_of(FORMULAS), cloud().all_nodes))
    assert found["services-configure"].call.function == "upgrader_site.configured"
    first = ("keystone.server", "glance", "nova", "cinder", "neutron", "heat")
    assert found["services-configure"].call.args["mods"] == first
    assert "services-configure" in before(found, "baseline")
    verified = {f"verify-{service}" for service in ("keystone", "glance", "nova", "cinder", "neutron", "heat")}
    for step in ("deploy-keystone", "deploy-glance", "deploy-nova", "deploy-cinder", "deploy-neutron", "deploy-heat"):
        assert verified | {"copy-proven", "upgrade-node-closed", "queue-and-cache"} <= before(found, step)
        assert step in before(found, "verify-cloud")
    assert "services-start" not in found


def test_copy_that_a_site_configured_is_proven_for_every_service_of_the_cloud() -> None:
    call = steps("mcp")["copy-proven"].call
    assert (call.function, call.nodes) == ("upgrader_copy.all_isolated", ("upg01.lab.local",))
    assert call.args == {"services": ("keystone", "glance", "nova", "cinder", "neutron", "heat")}
    assert "heat" not in steps("mcp", without="heat")["copy-proven"].call.args["services"]


def test_what_a_sites_formula_writes_into_the_catalogue_is_written_again_before_anything_reads_it() -> None:
    found = steps("mcp")
    assert found["deploy-identity-catalogue"].needs == ("deploy-identity",)
    assert found["deploy-glance"].needs == ("deploy-identity-catalogue",)


def test_a_gate_renders_every_formula_of_the_site_first() -> None:
    gate = steps("mcp")["site-formulas"]
    assert gate.phase == "gate"
    assert set(gate.call.args["mods"]) >= {"keystone.server", "keystone.client", "rabbitmq", "memcached", "heat"}


def test_a_service_that_the_cloud_has_not_is_in_no_step() -> None:
    found = steps("mcp", without="heat")
    assert "deploy-heat" not in found
    assert "heat" not in found["services-configure"].call.args["mods"]
    assert "heat" not in found["site-formulas"].call.args["mods"]


def test_an_unknown_deployment_is_refused_with_key_and_the_known_ones() -> None:
    with pytest.raises(Refused, match="upgrader:deployment is 'ansible', and there are builtin, mcp"):
        cloud("ansible")


def test_nodes_with_workloads_have_rows_before_and_behind_their_packages() -> None:
    ours, site = deployment("builtin"), deployment("mcp")
    behind = [[name for row in rows for name in row.of(("nova", "neutron"))] for rows in (ours.compute, ours.gateway)]
    assert behind == [["upgrader.compute.configured"], ["upgrader.gateway.configured"]]
    assert [row.of(()) for row in (*ours.repositories, *site.repositories)] == [
        ("upgrader.package.sources",), ("linux.system.repo",),
    ]  # fmt: skip


def test_a_compute_of_contrail_gets_no_state_of_the_networks_agents() -> None:
    assert [name for row in deployment("mcp").compute for name in row.of(("nova",))] == ["nova.compute"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "salt: ours",
        "salt: [",
        "salt: theirs\nupgrade: {before_schemas: [], after_schemas: []}",
        "salt: ours\nupgrade: {before_schemas: [], after_schemas: []}",
        "salt: ours\nupgrade: {before_schemas: [{id: x}], after_schemas: [{id: y, title: t, sls: [a]}]}",
    ],
)
def test_a_file_that_is_no_deployment_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(Refused, match=r"own\.yaml cannot be read"):
        deployment("own", tmp_path)
