"""What `upgrader model check` finds in an MCP-like model: the file and the class for each missing thing, and no traceback."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.models import PARAMETERS, inventory, mcp
from upgrader.cli.main import entry
from upgrader.content import RECLASS_CLASSES
from upgrader.reclass import remarks
from upgrader.reclass.finding import Finding, Survey
from upgrader.reclass.place import find_place
from upgrader.reclass.survey import survey


@dataclass
class Ran:
    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["upgrader", "--state-dir", str(tmp_path / "state"), "model", *words])
        with pytest.raises(SystemExit) as ended:
            entry()
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return Ran(int(ended.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mcp(tmp_path_factory.mktemp("check"))


@pytest.fixture(scope="module")
def found(root: Path) -> Survey:
    return survey(inventory(root))


def of(found: Survey, kind: str) -> list[Finding]:
    return [one for one in found.findings if one.kind == kind]


def test_roles_are_found_by_pillar(found: Survey) -> None:
    names = {role: [node.split(".")[0] for node in nodes] for role, nodes in found.roles.items()}
    assert names["control"] == ["ctl01", "ctl02", "ctl03"]
    assert names["database"] == ["dbs01", "dbs02", "dbs03"]
    assert (names["master"], names["backup"], names["identity"]) == (["cfg01"], ["cfg01"], ["cfg01"])
    assert (names["compute"], names["kvm"], names["upgrade"]) == (["cmp001"], ["kvm01", "kvm02"], [])


CFG, CLUSTER = "nodes/cfg01.mcp.local.yml", "classes/cluster/mcp"
EXPECTED = {
    "upgrader.cloud": [CFG],
    "reclass.storage.system.openstack_control_upgrade_single": [CFG],
    "xtrabackup.server.upgrade": [CFG],
    "mysql.client.database_upgrade": [CFG],
    "keystone.client.service.nova-placement": [CFG],
    "keystone.client.service.glare": [CFG],
    "keystone.client.service.cinder3": [CFG],
    "keystone.client.service.keystone3": [CFG],
    "xtrabackup.client.upgrade": [f"{CLUSTER}/openstack/database_init.yml", f"{CLUSTER}/openstack/database.yml"],
    "galera.server.database.nova_cell0": [
        f"{CLUSTER}/openstack/database_init.yml",
        f"{CLUSTER}/openstack/database.yml",
    ],
    "haproxy.proxy.listen.openstack.glare": [f"{CLUSTER}/openstack/control.yml"],
    "haproxy.proxy.listen.openstack.nova-placement": [f"{CLUSTER}/openstack/control.yml"],
    "nova.control.upgrade_levels": [f"{CLUSTER}/openstack/control.yml"],
    "nova.compute.upgrade_levels": [f"{CLUSTER}/openstack/compute.yml"],
    "upgrader.production": [f"{CLUSTER}/openstack/control.yml"],
    "upgrader.machines": [f"{CLUSTER}/infra/kvm.yml"],
    "salt.control.cluster.openstack_upgrade_single": [f"{CLUSTER}/infra/kvm.yml"],
    "salt.control.cluster.openstack_control_xenial": [f"{CLUSTER}/infra/kvm.yml"],
    "salt.control.cluster.openstack_proxy_xenial": [f"{CLUSTER}/infra/kvm.yml"],
}


def test_each_missing_thing_names_its_file_and_its_class(found: Survey, root: Path) -> None:
    told: dict[str, list[str]] = {}
    for one in of(found, "class"):
        assert one.remedy == f"include class {one.name}"
        told.setdefault(one.name.removeprefix("ocata."), []).append(str(Path(one.file).relative_to(root)))
    assert told == EXPECTED


def test_upgrade_node_gets_a_class_that_includes_everything(found: Survey, root: Path) -> None:
    path = root / CLUSTER / "openstack/upgrade.yml"
    assert [one.file for one in of(found, "file")] == [str(path)]
    assert found.edits[path][1].endswith(
        "classes:\n- cluster.mcp.openstack\n- system.nova.control.cluster\n- ocata.openstack.upgrade.single\n"
    )


def test_every_parameter_that_nobody_defines_is_told_before_it_breaks_a_pillar(found: Survey) -> None:
    assert sorted(one.name for one in of(found, "parameter")) == sorted(f"_param:{name}" for name in PARAMETERS)


def test_parameter_belongs_where_all_nodes_that_need_it_find_it(found: Survey, root: Path) -> None:
    homes = {one.name.partition(":")[2]: str(Path(one.file).relative_to(root)) for one in of(found, "parameter")}
    assert homes["xtrabackup_client_private_key"] == f"{CLUSTER}/openstack/init.yml"
    assert homes["openstack_upgrade_node01_hostname"] == f"{CLUSTER}/infra/init.yml"
    assert homes["mysql_upgrade_admin_password"] == f"{CLUSTER}/infra/config.yml"
    assert homes["heat_auth_encryption_key"] == f"{CLUSTER}/openstack/init.yml"


def test_stage_leaves_out_what_only_the_real_upgrade_needs(tmp_path: Path) -> None:
    held = inventory(mcp(tmp_path, defined=True, only=("cfg01", "kvm01")))
    told = {one.name.removeprefix("ocata.") for one in of(survey(held, ("test-upgrade",)), "class")}
    assert told == {
        "upgrader.cloud",
        "reclass.storage.system.openstack_control_upgrade_single",
        "xtrabackup.server.upgrade",
        "mysql.client.database_upgrade",
        "salt.control.cluster.openstack_upgrade_single",
    }


def test_command_tells_it_as_text_and_as_json_with_exit_code_3(
    root: Path, found: Survey, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upgrader.cli.model.survey", lambda held, stages: found)
    ran = command("check", "--inventory", str(root))
    assert ran.code == 3
    assert "nodes/cfg01.mcp.local.yml" in ran.out and "include class ocata.upgrader.cloud" in ran.out
    assert ran.err.count("\n") == 1 and "is incomplete" in ran.err
    shown = command("check", "--inventory", str(root), "-o", "json")
    document = json.loads(shown.out)
    assert (shown.code, document["schema"], document["complete"]) == (3, "upgrader.reclass/1", False)
    assert {"kind", "nodes", "stage", "what", "remedy", "file", "name"} == set(document["findings"][0])


def test_classes_that_are_not_reachable_are_told_with_the_command_that_links_them(
    tmp_path: Path, command: Command
) -> None:
    ran = command("check", "--inventory", str(mcp(tmp_path, linked=False, only=("cfg01",))))
    assert ran.code == 3
    assert "ln -s" in ran.out and "classes/ocata" in ran.out


NODE = "nodes/{}.yml"
# node: (its file, the file that is told, words of the sentence)
BROKEN = {
    "class-not-found": (
        "classes: [cluster.mcp.absent, cluster.mcp]\n",
        NODE,
        "it includes class cluster.mcp.absent, which no",
    ),
    "unresolved": (
        "classes: [cluster.mcp]\nparameters: {a: {b: '${_param:nowhere}'}}\n",
        f"{CLUSTER}/init.yml",
        "_param:nowhere is defined nowhere, and a:b in",
    ),
    "not-yaml": ("classes:\n- a\n b: [\n", NODE, "it is not valid YAML, line 3"),
    "no-mapping": ("- a\n", NODE, "it must be a mapping with the keys classes and parameters"),
    "no-list": ("classes: 5\n", NODE, "classes must be a list of names"),
    "not-utf-8": ("classes: [\xe9]\n", NODE, "it must be readable UTF-8 text"),
    "unclosed-reference": ("parameters: {a: {password: 'hunter2${x'}}\n", NODE, "is no valid reference"),
    "unlike-things": (
        "classes: [cluster.mcp.openstack.proxy]\nparameters: {horizon: text}\n",
        NODE,
        "Cannot merge scalar over dictionary, at horizon",
    ),
    "endless": ("parameters: {a: '${b}', b: '${a}'}\n", NODE, "Infinite recursion"),
    "through-a-text": ("parameters: {a: text, c: '${a:b}'}\n", NODE, "a:b is defined nowhere, and c in"),
}


@pytest.fixture(scope="module")
def unsound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Survey]:
    """Nothing but broken nodes, surveyed at once."""
    root = mcp(tmp_path_factory.mktemp("broken"), linked=False, only=("none",))
    for node, (text, _, _) in BROKEN.items():
        (root / NODE.format(node)).write_bytes(text.encode("latin-1"))
    return root, survey(inventory(root))


@pytest.mark.parametrize("node", BROKEN)
def test_error_of_rendering_is_one_sentence_with_its_file(node: str, unsound: tuple[Path, Survey]) -> None:
    root, found = unsound
    _, file, sentence = BROKEN[node]
    [told] = [one for one in found.findings if one.kind == "render" and one.nodes == (node,)]
    assert Path(told.file).relative_to(root).as_posix() == file.format(node)
    assert sentence in told.what and "\n" not in told.what and "hunter2" not in told.what
    assert told.remedy


def test_two_nodes_of_one_name_are_refused_in_one_sentence(tmp_path: Path, command: Command) -> None:
    root = mcp(tmp_path, only=("prx01",))
    (root / "nodes" / "prx01.mcp.local.yml").write_text("classes: []\n")
    ran = command("check", "--inventory", str(root))
    assert ran.code == 3 and "collides" in ran.err and ran.err.count("\n") == 1


def test_inventory_is_where_the_salt_master_reads_it(tmp_path: Path) -> None:
    root = mcp(tmp_path)
    (tmp_path / "master.d").mkdir()
    (tmp_path / "master").write_text("interface: 0.0.0.0\n")
    (tmp_path / "minion").write_text("id: cfg01.mcp.local\n")
    (tmp_path / "master.d" / "reclass.conf").write_text(
        f"reclass: &reclass\n  storage_type: yaml_fs\n  inventory_base_uri: {root}\n  class_mappings: ['* cluster.mcp']\n"
        "ext_pillar:\n- reclass: *reclass\n"
    )
    place = find_place(tmp_path / "master")
    assert (place.nodes, place.classes, place.master) == (root / "nodes", root / "classes", "cfg01.mcp.local")
    assert place.options == {"class_mappings": ["* cluster.mcp"]}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (None, "is missing"),
        ("ext_pillar: []\n", "names no reclass inventory"),
        ("ext_pillar: [{reclass: {inventory_base_uri: /nonexistent}}]\n", "is no folder"),
        ("ext_pillar: [{reclass: {storage_type: yaml_git}}]\n", "storage_type is yaml_git"),
        ("a: [\n", "is not valid YAML"),
        ("- a\n", "is not a mapping"),
    ],
)
def test_no_inventory_is_a_usage_error_that_names_the_option(
    config: str | None, sentence: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if config is not None:
        (tmp_path / "master").write_text(config)
    monkeypatch.setenv("UPGRADER_SALT_CONFIG", str(tmp_path / "master"))
    ran = command("check")
    assert ran.code == 2
    assert sentence in ran.err and "--inventory PATH" in ran.err


def test_generated_nodes_that_share_their_classes_with_others_are_told_not_edited(tmp_path: Path) -> None:
    root = mcp(tmp_path, defined=True, only=("cfg01", "cmp001", "prx01"))
    for node in ("cmp001", "prx01"):
        file = root / "nodes/_generated" / f"{node}.mcp.local.yml"
        file.write_text("classes: [cluster.mcp.openstack.compute, cluster.mcp.openstack]\n")
    (root / "nodes/_generated/prx01.mcp.local.yml").write_text(
        "classes: [cluster.mcp.openstack.compute]\nparameters: {nova: {compute: {upgrade_levels: {compute: mitaka}}}}\n"
    )
    found = survey(inventory(root), ("real-upgrade",))
    [told] = [one for one in of(found, "class") if one.name == "ocata.nova.compute.upgrade_levels"]
    assert (told.nodes, told.file) == (("cmp001.mcp.local",), "")
    assert "state reclass writes the node's file: make a class" in told.remedy
    assert not [path for path in found.edits if "_generated" in path.parts or path.name == "compute.yml"]


def test_long_lists_of_nodes_are_cut_in_the_table(tmp_path: Path, command: Command) -> None:
    root = mcp(tmp_path, linked=False, only=("cmp001",))
    (root / "classes/cluster/bad.yml").write_text("classes: [cluster.mcp.absent]\n")
    for number in range(2, 62):
        (root / "nodes" / f"cmp{number:03}.mcp.local.yml").write_text("classes: [cluster.bad]\n")
    ran = command("check", "--inventory", str(root))
    assert "cmp002, cmp003, cmp004 and 57 more:" in ran.out
    assert ran.err.startswith("rendering 61 nodes")


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """An upgrade node on production's queue, with an empty key."""
    root = mcp(tmp_path_factory.mktemp("careless"), defined=True, only=("cfg01", "ctl01"))
    (root / "nodes" / "upg01.mcp.local.yml").write_text(
        "classes: [cluster.mcp.openstack, ocata.openstack.upgrade.single]\n"
        "parameters: {_param: {single_address: 10.20.1.19}, heat: {server: {auth_encryption_key: ''}},"
        " nova: {controller: {message_queue: {members: [{host: 10.20.1.60}]}}}}\n"
    )
    return survey(inventory(root), ())


def test_upgrade_node_on_productions_queue_is_a_danger(careless: Survey) -> None:
    [danger] = of(careless, "danger")
    assert danger.nodes == ("upg01.mcp.local",) and danger.name == "nova:controller:message_queue"


def test_key_that_a_complete_controller_needs_is_told_with_an_example(careless: Survey) -> None:
    told = [(one.name, one.remedy) for one in of(careless, "key")]
    assert told == [("heat:server:auth_encryption_key", "write there: production's own, or no stack can be read")]


def test_copied_classes_of_another_version_are_noted(tmp_path: Path) -> None:
    root = mcp(tmp_path, linked=False, only=("cfg01",))
    shutil.copytree(RECLASS_CLASSES, root / "classes", dirs_exist_ok=True)
    (root / "classes/nova/control/upgrade_levels.yml").unlink()
    (root / "classes/memcached/server/upgrade.yml").write_text("parameters: {}\n")
    held = inventory(root)
    assert remarks.reach(held) == ""
    told = list(remarks.copied(held, ""))
    assert len(told) == 2 and "memcached.server.upgrade" in told[0] and "nova.control.upgrade_levels" in told[1]
