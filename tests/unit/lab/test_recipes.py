"""The keys of image layers, and what the recipes may and may not hold."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from upgrader import content
from upgrader.errors import LabRefused
from upgrader.lab import Lab
from upgrader.lab.layers import ImageCache
from upgrader.lab.recipe import FOLDER, SCRIPTS, Recipe, chain, lab_recipes, up_to
from upgrader.lab.services import SERVICE_OF
from upgrader.lab.topology import TOPOLOGIES

ONE = Recipe("one", "first", "echo one", {"lock": "a==1"})
TWO = Recipe("two", "second", "echo two")


def keys(*recipes: Recipe) -> list[str]:
    return [layer.key for layer in chain(recipes)]


def test_the_same_recipes_have_the_same_keys() -> None:
    assert keys(ONE, TWO) == keys(ONE, TWO)


def test_a_changed_script_input_or_ground_changes_the_layer_and_everything_above_it() -> None:
    before = keys(ONE, TWO)
    for changed in (
        replace(ONE, script="echo 1"),
        replace(ONE, inputs={"lock": "a==2"}),
        replace(ONE, bootstrap="debootstrap"),
    ):
        after = keys(changed, TWO)
        assert after[0] != before[0]
        assert after[1] != before[1]


def test_a_changed_layer_leaves_what_is_below_it() -> None:
    assert keys(ONE, replace(TWO, script="echo 2"))[0] == keys(ONE, TWO)[0]


def test_titles_and_sizes_are_no_part_of_a_key() -> None:
    assert keys(replace(ONE, title="another", megabytes=7)) == keys(ONE)


def test_up_to_ends_with_the_layer_of_that_name() -> None:
    assert [layer.recipe.name for layer in up_to(chain((ONE, TWO)), "one")] == ["one"]


def test_pruning_keeps_the_chain_and_removes_the_rest(tmp_path: Path) -> None:
    cache, layers = ImageCache(tmp_path), chain((ONE, TWO))
    for folder in (*(layer.folder for layer in layers), "one-0123", "two-0123.partial-7"):
        (tmp_path / "layers" / folder).mkdir(parents=True)
    assert cache.prune(layers) == ["one-0123", "two-0123.partial-7"]
    assert {path.name for path in cache.layers.iterdir()} == {layer.folder for layer in layers}


def test_pruning_is_refused_while_a_lab_stands(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lab.json").write_text("{}")
    with pytest.raises(LabRefused, match="take every lab down"):
        Lab("test", tmp_path, tmp_path / "cache").build(prune=True)


def test_a_layer_without_its_description_is_not_there(tmp_path: Path) -> None:
    cache, layers = ImageCache(tmp_path), chain((ONE,))
    (tmp_path / "layers" / layers[0].folder / "fs").mkdir(parents=True)
    assert cache.missing(layers) == list(layers)


def test_every_node_of_every_topology_stands_on_a_layer_of_the_chain() -> None:
    names = [recipe.name for recipe in lab_recipes()]
    for topology in TOPOLOGIES.values():
        assert topology.top_layer in names
        assert all(node.layer in names[: names.index(topology.top_layer) + 1] for node in topology.nodes)


def test_each_databases_schema_is_made_at_mitakas_version_by_the_layer_that_the_lab_looks_in() -> None:
    scripts = {recipe.name: recipe.script for recipe in lab_recipes()}
    for database, service in SERVICE_OF.items():
        script, version = scripts[service.layer], service.databases[database]
        assert re.search(rf"\b{database}\b.* {version}\b", script), database
    for topology in TOPOLOGIES.values():
        names = [layer.recipe.name for layer in up_to(chain(lab_recipes()), topology.top_layer)]
        assert {service.layer for service in SERVICE_OF.values()} <= set(names)


def test_nodes_have_what_the_package_itself_depends_on() -> None:
    project = content.PACKAGE.parent / "pyproject.toml"
    listed = re.search(r"^dependencies = (\[.*?^\])", project.read_text(), re.MULTILINE | re.DOTALL)
    assert listed
    declared = ast.literal_eval(listed[1])
    wanted = [line for line in (SCRIPTS / "requirements.txt").read_text().splitlines() if line]
    assert sorted(wanted) == sorted(declared)


def test_no_file_of_the_lab_names_a_server_to_fetch_from() -> None:
    for path in Path(FOLDER).rglob("*"):
        if path.suffix in (".sh", ".py", ".txt", ".yml"):
            assert not re.search(r"(?:https?|ftp)://(?!\{)[a-z0-9]", path.read_text()), path
