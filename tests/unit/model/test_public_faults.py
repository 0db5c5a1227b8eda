"""Faults that public models showed, each in a small model: what `upgrader model` says now."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from tests.support.clouds import FACTS, lab_pillar
from tests.support.models import Model, of
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.content import FORMULAS
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.stages import make_plan
from upgrader.reclass import needs
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import place_at
from upgrader.reclass.survey import survey
from upgrader.transport.master import MasterTransport


def test_broken_node_of_another_clouds_domain_stops_nothing_here(model: Model) -> None:
    """Seen in a public model of 15 clouds: Salt masters whose classes are gone have neither a role nor a cluster's name."""
    root = model("two-clouds")
    (root / "nodes/cfg01.c.local.yml").write_text("classes: [cluster.c.config]\n")
    (root / "nodes/ctl09.a.local.yml").write_text("classes: [cluster.a.gone]\n")
    found = of(root, "cfg01.a.local")
    assert {node for one in found.findings if one.kind == "render" for node in one.nodes} == {"ctl09.a.local"}
    assert any("cfg01.c.local" in note for note in found.notes if note.startswith("of other clouds"))


def test_problem_in_a_nodes_file_names_it_by_its_plain_path(model: Model) -> None:
    root = model("collapsed")
    (root / "nodes/ctl09.a.local.yml").write_text("classes: [cluster.a.gone]\n")
    [told] = [one for one in of(root).findings if one.kind == "render"]
    assert told.file == str(root / "nodes/ctl09.a.local.yml")


def test_salt_master_that_is_named_and_does_not_render_is_told_what_is_wrong_with_it(model: Model) -> None:
    root = model("two-clouds")
    (root / "nodes/cfg01.a.local.yml").write_text("classes: [cluster.a.gone]\n")
    found = survey(Inventory(replace(place_at(root), master="cfg01.a.local", master_named=True)))
    assert any("cfg01.a.local" in one.nodes and "cluster.a.gone" in one.what for one in found.findings)
    assert found.roles["control"] == ("ctl01.a.local", "ctl02.a.local", "ctl03.a.local")


def test_model_with_contrail_is_told_that_neutron_is_left_out_and_where_a_plan_reads_it(model: Model) -> None:
    """After mk-lab's full-scale model: Mitaka, databases of their own, networks by OpenContrail 3."""
    found = of(model("contrail"))
    assert any(
        note.startswith("neutron is left out of the upgrade: neutron:server:plugin is contrail") for note in found.notes
    )
    [told] = [one for one in found.findings if one.kind == "key"]
    assert (told.name, told.nodes) == ("upgrader:nodes:control", ("cfg01.c.local",))
    assert "Write [ctl01.c.local, ctl02.c.local, ctl03.c.local]" in told.what
    assert found.roles["database"] == ("dbs01.c.local", "dbs02.c.local", "dbs03.c.local")
    assert "neutron:server" not in found.unread


def test_model_with_contrail_whose_controllers_are_named_lacks_no_key(model: Model) -> None:
    root = model("contrail")
    names = ", ".join(f"ctl0{number}.c.local" for number in (1, 2, 3))
    file = root / "classes/cluster/c/config.yml"
    file.write_text(file.read_text() + f"  upgrader: {{nodes: {{control: [{names}]}}}}\n")
    assert [one for one in of(root).findings if one.kind == "key"] == []


def test_needs_of_a_cloud_without_neutron_ask_for_none_of_its_clones() -> None:
    keys = {key for need in needs.needs_of({needs.DATABASE: ("a", "b", "c")}, ["neutron:server"]) for key in need.keys}
    assert not [key for key in keys if "neutron" in key]
    assert "upgrader:databases:clones:nova_upgrade_api" in keys


def test_model_with_telemetry_and_five_database_nodes_names_the_databases_that_are_left_alone(model: Model) -> None:
    """After mk-lab's models: ceilometer, and beside it aodh and designate as later ones have them."""
    found = of(model("telemetry"))
    assert any(
        note.startswith("databases of other services: aodh, ceilometer, designate. They") for note in found.notes
    )
    assert "ocata.upgrader.cloud_listed" in {one.name for one in found.findings}
    [told] = [one for one in found.findings if one.name == "_param:upgrader_database_nodes"]
    assert "dbs01.t.local, dbs02.t.local, dbs03.t.local, dbs04.t.local, dbs05.t.local" in told.what
    [asked] = [one for one in found.findings if one.name == "ocata.xtrabackup.client.upgrade"]
    assert asked.nodes == found.roles["database"]


@pytest.mark.parametrize("count", [1, 5])
def test_plan_works_on_every_database_node_whatever_their_number(count: int) -> None:
    pillar = lab_pillar()
    nodes = [f"dbs0{number}.lab.local" for number in range(1, count + 1)]
    pillar["cfg01.lab.local"]["upgrader"]["nodes"] = {
        **pillar["cfg01.lab.local"]["upgrader"]["nodes"],
        "database": nodes,
    }
    pillar |= dict.fromkeys(nodes, pillar["dbs01.lab.local"])
    held = cloud_from_pillar(pillar, "cfg01.lab.local")
    plan = make_plan(held, "control-plane", "test-upgrade", FACTS)
    check_plan(plan, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), held.all_nodes))
    steps = {step.id: step for step in plan.steps()}
    for step in ("cluster-state", "backup-tool", "backup-access", "backup-create", "clone-load", "clone-verify"):
        assert steps[step].call.nodes == tuple(nodes), step
    assert steps["cluster-state"].call.args["members"] == count == steps["clone-verify"].call.args["members"]


def test_upgrade_nodes_class_that_was_begun_by_hand_gets_the_sites_classes_too(model: Model) -> None:
    """Parameters are asked for in a file that is only about to be made: who writes it first must not lose the rest."""
    root = model("contrail")
    begun = root / "classes/cluster/c/openstack/upgrade.yml"
    begun.write_text("classes:\n- cluster.c\nparameters:\n  _param: {horizon_secret_key: x}\n")
    _, text = of(root).edits[begun]
    classes = ["cluster.c", "system.neutron.control", "ocata.openstack.upgrade.single"]
    assert [line[2:] for line in text.splitlines() if line.startswith("- ")] == classes


def test_reference_that_leads_nowhere_is_no_address_of_productions(model: Model) -> None:
    """In a public model the pods' addresses come at run time: each key of the upgrade node was said to name a virtual address."""
    root = model("collapsed")
    file = root / "classes/cluster/a/control.yml"
    file.write_text(file.read_text().replace("10.0.0.254", "'${_param:of_the_pod}'"))
    with (root / "classes/cluster/a/control.yml").open("a") as text:
        text.write("  keystone: {server: {enabled: true, message_queue: {host: '${_param:of_the_pod}'}}}\n")
    upgrade = root / "nodes/upg01.a.local.yml"
    upgrade.write_text("classes: [cluster.a, ocata.openstack.upgrade.single]\n")
    found = of(root)
    assert any("of_the_pod" in one.what for one in found.findings if one.kind == "render")
    assert [one for one in found.findings if one.kind == "danger"] == []


def test_whole_catalogue_that_names_production_is_one_danger(model: Model) -> None:
    """In a public model of 2016 the class of keystone holds every endpoint: 27 findings said the same."""
    root = model("collapsed")
    endpoints = {name: {"bind": {"public_address": "10.0.0.254"}} for name in ("nova", "glance", "cinder", "heat")}
    own = {"keystone": {"server": {"service": endpoints}}, "nova": {"controller": {"network": {"host": "10.0.0.254"}}}}
    text = yaml.safe_dump({"classes": ["cluster.a", "ocata.openstack.upgrade.single"], "parameters": own})
    (root / "nodes/upg01.a.local.yml").write_text(text)
    told = [one.what for one in of(root).findings if one.kind == "danger"]
    assert told == [
        "keystone:server:service names 10.0.0.254, a virtual address, in 4 keys",
        "nova:controller:network:host names 10.0.0.254, a virtual address",
    ]
