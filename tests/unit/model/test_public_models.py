"""Shapes of public models, made small: what `upgrader model` says of each, and that its advice leaves every node its pillar."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.clouds import FACTS, lab_pillar
from upgrader.cli.main import entry
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.content import FORMULAS, RECLASS_CLASSES
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.stages import make_plan
from upgrader.reclass import needs
from upgrader.reclass.finding import Survey
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import find_place, place_at
from upgrader.reclass.survey import survey
from upgrader.transport.master import MasterTransport

MODELS = Path(__file__).parents[2] / "models"
Model = Callable[[str], Path]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """One of tests/models, copied, with this tool's classes linked in."""

    def copy(name: str) -> Path:
        root = tmp_path / name
        shutil.copytree(MODELS / name, root)
        (root / "classes" / "ocata").symlink_to(RECLASS_CLASSES)
        return root

    return copy


def of(root: Path, master: str = "") -> Survey:
    return survey(Inventory(_with(place_at(root), master)))


def _with(place: Any, master: str) -> Any:
    return type(place)(place.nodes, place.classes, place.options, master)


def run(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["upgrader", *words])
    with pytest.raises(SystemExit) as ended:
        entry()
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_upgrade_node_of_collapsed_controllers_gets_nothing_of_their_own_class(model: Model) -> None:
    found = of(model("collapsed"))
    [made] = [text for path, (old, text) in found.edits.items() if path.name == "upgrade.yml" and old is None]
    assert "cluster.a.control" not in made and "- cluster.a\n" in made
    assert any(note.startswith("controllers and database nodes at once: ctl01.a.local") for note in found.notes)


def test_keys_that_state_reclass_writes_are_not_asked_of_the_operator(model: Model) -> None:
    found = of(model("generated-keys"))
    asked = {one.name for one in found.findings if one.kind in ("parameter", "render")}
    assert not [name for name in asked if name.startswith("linux:") or name == "_param:salt_master_host"], asked


def test_model_without_cluster_classes_is_told_no_generated_file_and_no_class_of_none(model: Model) -> None:
    root = model("no-cluster")
    found = of(root)
    files = {one.file for one in found.findings} | {str(path) for path in found.edits}
    assert not [file for file in files if "None" in file]
    assert not [file for file in files if Path(file).name.startswith(("upg01", "ctl01"))], files
    assert str(root / "classes/cluster/a/openstack/upgrade.yml") in files


def test_written_advice_for_a_model_without_cluster_classes_collides_with_no_generated_node(model: Model) -> None:
    """State reclass writes the node's file under _generated: a second one of the name takes every node its pillar."""
    root = model("no-cluster")
    for path, (_, text) in of(root).edits.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    generated = root / "nodes/_generated/upg01.a.local.yml"
    generated.write_text("classes: [cluster.a.openstack.upgrade]\n")
    held = Inventory(place_at(root))
    assert held.render("ctl01.a.local").problems == ()


def test_several_clouds_are_refused_until_the_master_is_named(
    model: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = model("two-clouds")
    words = ["model", "check", "--inventory", str(root)]
    code, _, said = run(words, monkeypatch, capsys)
    assert code == 3
    assert "several Salt masters (cfg01.0.local, cfg01.a.local): name yours with --master" in said
    code, shown, _ = run([*words, "--master", "cfg01.a.local", "-o", "json"], monkeypatch, capsys)
    document = json.loads(shown)
    assert code == 3
    assert document["roles"]["master"] == ["cfg01.a.local"]
    assert "cluster/0" not in shown and "cluster/a/config.yml" in shown
    assert any("of other clouds and left out: cfg01.0.local" in note for note in document["notes"])


def test_master_that_is_misspelt_is_a_usage_error_with_the_known_ones(
    model: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["model", "check", "--inventory", str(model("two-clouds")), "--master", "cfg1.a.local"]
    code, _, said = run(words, monkeypatch, capsys)
    assert code == 2
    assert (
        "--master cfg1.a.local: the model has no such node; its Salt masters are cfg01.0.local, cfg01.a.local" in said
    )


def test_masters_id_is_read_where_mcp_writes_it(model: Model, tmp_path: Path) -> None:
    """minion.d/minion.conf, and not the main file."""
    root = model("two-clouds")
    (tmp_path / "salt/minion.d").mkdir(parents=True)
    (tmp_path / "salt/minion").write_text("# nothing\n")
    (tmp_path / "salt/minion.d/minion.conf").write_text("id: cfg01.a.local\n")
    reclass = {"storage_type": "yaml_fs", "inventory_base_uri": str(root)}
    (tmp_path / "salt/master").write_text(yaml.safe_dump({"ext_pillar": [{"reclass": reclass}]}))
    found = survey(Inventory(find_place(tmp_path / "salt/master")))
    assert found.roles["master"] == ("cfg01.a.local",)


def test_nodes_of_another_cloud_hold_no_role(model: Model) -> None:
    root = model("two-clouds")
    (root / "nodes/kvm01.0.local.yml").write_text(
        "parameters: {_param: {cluster_name: '0'}, salt: {control: {enabled: true}}}\n"
    )
    found = of(root, "cfg01.a.local")
    assert found.roles["kvm"] == ()
    assert not [one for one in found.findings if any(node.endswith(".0.local") for node in one.nodes)]


@pytest.mark.parametrize(
    "text",
    [
        "classes: [nowhere.to.be.found]\nparameters: [\n",
        "classes: [cluster.a, nowhere.to.be.found]\n",
        "classes: [cluster.a]\nparameters: {maas: {mac: '${_param:of_nobody}'}}\n",
    ],
    ids=["no YAML", "no such class", "no such parameter"],
)
@pytest.mark.parametrize(("name", "stops"), [("mon01.a.local", False), ("cmp01.a.local", True)])
def test_broken_node_stops_only_where_an_upgrade_needs_it(model: Model, name: str, stops: bool, text: str) -> None:
    root = model("collapsed")
    (root / f"nodes/{name}.yml").write_text(text)
    found = of(root)
    told = [one for one in found.findings if name in one.nodes]
    assert bool(told) is stops
    assert any(note.startswith(f"{name} cannot be rendered") for note in found.notes) is not stops


def test_model_that_is_at_another_release_already_is_named(model: Model) -> None:
    root = model("collapsed")
    file = root / "classes/cluster/a/control.yml"
    file.write_text(file.read_text().replace("{enabled: true, database", "{enabled: true, version: ocata, database"))
    [told] = [one for one in of(root).findings if one.kind == "release"]
    assert told.what == "nova:controller:version is ocata, and an upgrade begins at mitaka"
    assert told.nodes == ("ctl01.a.local", "ctl02.a.local", "ctl03.a.local")


@pytest.mark.parametrize(
    ("databases", "words"),
    [
        (
            "nova, neutron, aodh, designate",
            "databases of other services: aodh, designate. They are part of every backup",
        ),
        ("nova, keystone", "hold no database neutron, so another controller (contrail?) makes the networks: let the"),
    ],
)
def test_databases_that_an_upgrade_does_not_know_or_does_not_find_are_named(
    model: Model, databases: str, words: str
) -> None:
    root = model("collapsed")
    file = root / "classes/cluster/a/control.yml"
    listed = ", ".join(f"{name}: {{}}" for name in databases.split(", "))
    file.write_text(file.read_text() + f"  mysql: {{server: {{database: {{{listed}}}}}}}\n")
    assert [note for note in of(root).notes if words in note]


def test_any_number_of_database_nodes_is_told_the_class_that_takes_a_list(model: Model) -> None:
    root = model("collapsed")
    (root / "nodes/ctl03.a.local.yml").unlink()
    found = of(root)
    assert "ocata.upgrader.cloud_listed" in {one.name for one in found.findings}
    [told] = [one for one in found.findings if one.name == "_param:upgrader_database_nodes"]
    assert "[ctl01.a.local, ctl02.a.local]" in told.what


def test_settings_of_production_that_a_rehearsal_would_not_prove_are_counted_and_listed(
    model: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = model("collapsed")
    file = root / "classes/cluster/a/control.yml"
    file.write_text(file.read_text().replace("{enabled: true, database", "{enabled: true, gadget: 1, database"))
    words = ["model", "check", "--inventory", str(root)]
    _, shown, _ = run([*words, "-o", "json"], monkeypatch, capsys)
    assert json.loads(shown)["unread"] == {"nova:controller": ["gadget"]}
    _, shown, _ = run(words, monkeypatch, capsys)
    assert "production sets 1 key of nova:controller that this tool's own states do not read" in " ".join(shown.split())


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
