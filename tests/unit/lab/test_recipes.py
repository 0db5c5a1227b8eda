"""The keys of image layers, and what the recipes may and may not hold."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from upgrader import content
from upgrader.errors import LabError, LabRefused
from upgrader.lab import Lab, startup
from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import make_passwords
from upgrader.lab.contents.services import SERVICE_OF
from upgrader.lab.image.layers import ImageCache, fetch_npm
from upgrader.lab.image.recipe import FOLDER, FORMAT, SCRIPTS, Recipe, chain, lab_recipes, up_to, up_to_all
from upgrader.lab.machine import cgroups
from upgrader.lab.machine.node import Node
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
        replace(ONE, npm=("left-pad@1.0.0",)),
    ):
        after = keys(changed, TWO)
        assert after[0] != before[0]
        assert after[1] != before[1]


def test_a_changed_layer_leaves_what_is_below_it() -> None:
    assert keys(ONE, replace(TWO, script="echo 2"))[0] == keys(ONE, TWO)[0]


def test_layer_of_before_npm_keeps_its_key() -> None:
    """Images that were built are not built again because a recipe can name packages of npm now."""
    made_of = [FORMAT, "one", "echo one", "", [("lock", "a==1")], ""]
    assert keys(ONE) == [hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in npm's place, the only one on the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "npm"


def test_npm_lays_the_archive_beside_the_recipe(npm: Path, tmp_path: Path) -> None:
    npm.write_text('#!/bin/sh\necho "$*" > "$5/$6.tgz"\n')
    npm.chmod(0o755)
    fetch_npm(("left-pad@1.0.0",), tmp_path)
    asked = (tmp_path / "left-pad@1.0.0.tgz").read_text()
    assert asked == f"pack --silent --ignore-scripts --pack-destination {tmp_path} left-pad@1.0.0\n"


def test_npm_that_is_missing_or_fails_is_named_with_the_remedy(npm: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"npm is not installed.*run ./setup.sh"):
        fetch_npm(("left-pad@1.0.0",), tmp_path)
    npm.write_text("#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(LabError, match=r"npm cannot fetch left-pad@1.0.0: npm error code E404; check npm's registry"):
        fetch_npm(("left-pad@1.0.0",), tmp_path)


def test_node_without_systemd_gets_its_address_from_a_script() -> None:
    topology = TOPOLOGIES["bench"]
    (old,) = (plan for plan in topology.nodes if plan.sysvinit)
    files = node_files(old, topology, {}, make_passwords())
    assert files["etc/lab-network"].text.splitlines() == [
        "#!/bin/sh",
        "/sbin/ip link set lo up",
        f"/sbin/ip addr replace {old.address}/24 dev host0",
        "/sbin/ip link set host0 up",
    ]
    assert files["etc/lab-network"].mode == 0o755
    assert not [path for path in files if "systemd" in path]


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
    for topology in TOPOLOGIES.values():
        names = [layer.recipe.name for layer in up_to_all(chain(lab_recipes()), topology.layers)]
        assert {node.layer for node in topology.nodes} <= set(names)


def test_layers_of_two_branches_are_each_built_once_and_after_what_they_stand_on() -> None:
    layers = chain((ONE, TWO, replace(ONE, name="three", on="one"), replace(ONE, name="four", on="two")))
    assert [layer.recipe.name for layer in up_to_all(layers, ("four", "three"))] == ["one", "two", "three", "four"]
    assert [layer.recipe.name for layer in up_to_all(layers, ("three",))] == ["one", "three"]


def test_a_hypervisor_is_given_what_libvirt_needs_and_others_are_not(tmp_path: Path) -> None:
    for name in ("loop-control", "loop0", "loop1", "sda"):
        (tmp_path / name).touch()
    assert startup.hypervisor_devices(tmp_path) == [str(tmp_path / name) for name in ("loop-control", "loop0", "loop1")]
    plans = {plan.name: plan for plan in TOPOLOGIES["bench"].nodes}
    given = {name: startup._options(Node(plan, tmp_path, "lab/x")) for name, plan in plans.items()}
    assert "--capability=all" in given["kvm01"]
    assert not [option for option in given["bench01"] if "capability" in option or "/dev/" in option]


def test_places_of_a_hypervisor_take_processors_and_memory_from_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "self"
    own.write_text("9:name=systemd:/\n4:memory:/mine\n3:cpuset:/\n0::/\n")
    for path in (tmp_path / "memory" / "mine", tmp_path / "cpuset"):
        path.mkdir(parents=True)
        (path / "cgroup.procs").touch()
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "SELF", own)
    assert cgroups.controllers() == [tmp_path / "memory" / "mine", tmp_path / "cpuset"]
    assert cgroups.make_places("labs/one/kvm01") == [path / "labs/one/kvm01" for path in cgroups.controllers()]


def test_each_databases_schema_is_made_at_mitakas_version_by_the_layer_that_the_lab_looks_in() -> None:
    scripts = {recipe.name: recipe.script for recipe in lab_recipes()}
    for database, service in SERVICE_OF.items():
        script, version = scripts[service.layer], service.databases[database]
        assert re.search(rf"\b{database}\b.* {version}\b", script), database
    for topology in TOPOLOGIES.values():
        names = [layer.recipe.name for layer in up_to_all(chain(lab_recipes()), topology.layers)]
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
