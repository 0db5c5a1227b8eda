"""Shapes of public models, made small: what `upgrader model` says of each, and that its advice leaves every node its pillar."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.models import Model, of
from upgrader.cli.main import entry
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import find_place, place_at
from upgrader.reclass.survey import survey


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
