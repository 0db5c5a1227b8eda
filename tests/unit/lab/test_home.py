"""An operator's own inventory on the lab's nodes: what stays theirs, what is replaced, and what is said of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.clouds import FACTS, lab_pillar
from tests.support.models import PARAMETERS
from upgrader.cloud.cloud import cloud_from_pillar
from upgrader.content import FORMULAS, RECLASS_CLASSES
from upgrader.errors import LabRefused
from upgrader.lab.contents.dumps import dump_names
from upgrader.lab.contents.passwords import make_passwords
from upgrader.lab.contents.shipped import Model, _fill_model
from upgrader.lab.home import overlay
from upgrader.lab.home.model import Laid, lay_over
from upgrader.lab.topology import NOVA
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.stages import make_plan
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import place_at
from upgrader.transport.master import MasterTransport

MODELS = Path(__file__).parents[2] / "models"
OWN = {
    "openstack_region": "Prague",
    "single_address": "10.9.0.10",
    "upgrader_backup_node": "cfg01.t.local",
    "upgrader_database_nodes": [f"dbs0{number}.t.local" for number in range(1, 6)],
    "upgrader_upgrade_node": "upg01.t.local",
    "rabbitmq_openstack_password": "theirs",
    "heat_auth_encryption_key": "the key of their stacks",
}


def write(path: Path, document: object) -> None:
    path.write_text(yaml.safe_dump(document))


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return prepared(tmp_path / "theirs")


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Laid]:
    """The folder that it was laid into, and what was said; nobody changes it."""
    folder = tmp_path_factory.mktemp("home")
    return folder / "out", laid(prepared(folder / "theirs"), folder / "out")


def prepared(root: Path) -> Path:
    """The model with telemetry and five database nodes, prepared for a rehearsal; its controllers are named."""
    shutil.copytree(MODELS / "telemetry", root)
    (root / "classes/ocata").symlink_to(RECLASS_CLASSES)
    param = {**{name: f"value of {name}" for name in PARAMETERS}, "cluster_name": "t", **OWN}
    write(root / "classes/cluster/t/init.yml", {"parameters": {"_param": param}})
    control = {"upgrader": {"deployment": "mcp", "nodes": {"control": ["ctl01.t.local"]}}}
    classes = ["cluster.t.config", "ocata.upgrader.cloud_listed", "ocata.xtrabackup.server.upgrade"]
    classes.append("ocata.mysql.client.database_upgrade")
    write(root / "nodes/cfg01.t.local.yml", {"classes": classes, "parameters": control})
    for number in range(1, 6):
        classes = ["cluster.t.database", "ocata.xtrabackup.client.upgrade"]
        write(root / f"nodes/dbs0{number}.t.local.yml", {"classes": classes})
    nova = {"cpu_allocation_ratio": 7.5, "filters": ["OwnFilter"]}
    own = {
        "_param": {"single_address": "10.9.0.12"},
        "nova": {"controller": nova},
        "gadget": {"at": "10.9.0.12", "of": ["cfg01.t.local"]},
    }
    write(
        root / "nodes/upg01.t.local.yml",
        {"classes": ["cluster.t", "ocata.openstack.upgrade.single"], "parameters": own},
    )
    return root


def laid(theirs: Path, target: Path, dumped: tuple[str, ...] = ()) -> Laid:
    lab = target.with_name("lab")
    _fill_model(lab, make_passwords(), Model())
    target.mkdir()
    return lay_over(theirs, NOVA, "", dumped, lab, target)


def pillar(target: Path, node: str) -> dict[str, object]:
    found = Inventory(place_at(target)).render(f"{node}.lab.local")
    assert found.sound, (found.problems, found.unresolved)
    return dict(found.pillar or {})


def test_settings_stay_the_operators_and_addresses_become_the_labs(at_home: tuple[Path, Laid]) -> None:
    out, _ = at_home
    upg = pillar(out, "upg01")
    assert overlay.value(upg, "nova:controller:cpu_allocation_ratio") == 7.5
    assert overlay.value(upg, "nova:controller:filters") == ["OwnFilter"]
    assert overlay.value(upg, "nova:controller:bind:private_address") in ("10.20.0.12", None)
    assert overlay.value(upg, "_param:single_address") == "10.20.0.12"
    assert overlay.value(upg, "gadget") == {"at": "10.20.0.12", "of": ["cfg01.lab.local"]}
    assert overlay.value(upg, "nova:controller:engine") == "venv"


def test_plan_of_it_names_the_labs_nodes_only(at_home: tuple[Path, Laid]) -> None:
    out, _ = at_home
    nodes = ("cfg01", "dbs01", "dbs02", "dbs03", "upg01")
    held = {f"{node}.lab.local": pillar(out, node) for node in nodes}
    cloud = cloud_from_pillar(held, "cfg01.lab.local")
    assert cloud.all_nodes == tuple(held)
    assert cloud.deployment.name == "builtin"
    plan = make_plan(cloud, "control-plane", "test-upgrade", FACTS)
    check_plan(plan, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), cloud.all_nodes))
    assert "t.local" not in plan.to_json()


def test_what_was_replaced_and_what_has_no_node_is_said(at_home: tuple[Path, Laid]) -> None:
    _, found = at_home
    assert found.pairs == {
        "cfg01": "cfg01.t.local", "dbs01": "dbs01.t.local", "dbs02": "dbs02.t.local", "dbs03": "dbs03.t.local",
        "upg01": "upg01.t.local",
    }  # fmt: skip
    assert {"_param:single_address", "gadget:at", "gadget:of", "nova:controller:message_queue:password"} <= set(
        found.replaced["upg01"]
    )
    assert "nova:controller:cpu_allocation_ratio" not in found.replaced["upg01"]
    told = found.sentences()
    assert any(line.startswith("upg01 is your upg01.t.local: ") for line in told)
    assert "you have 5 database nodes and the lab 3" in told
    assert "the lab has no control node: what your 3 say is not rehearsed" in told
    assert any(line.startswith("1 other node of yours has none in the lab: mdb01.t.local") for line in told)
    assert "upg01 gadget:at\n" in found.listing() and "theirs" not in found.listing()


def test_key_of_stacks_and_region_are_the_operators_where_their_rows_are_loaded(theirs: Path, tmp_path: Path) -> None:
    laid(theirs, tmp_path / "out", ("heat", "keystone"))
    upg = pillar(tmp_path / "out", "upg01")
    assert overlay.value(upg, "heat:server:auth_encryption_key") == "the key of their stacks"
    assert (
        overlay.value(upg, "keystone:server:region")
        == overlay.value(upg, "nova:controller:identity:region")
        == "Prague"
    )
    assert overlay.value(upg, "nova:controller:message_queue:password") != "theirs"


def test_key_of_stacks_is_the_labs_where_the_rows_are(at_home: tuple[Path, Laid]) -> None:
    out, _ = at_home
    upg = pillar(out, "upg01")
    assert overlay.value(upg, "heat:server:auth_encryption_key") != "the key of their stacks"
    assert overlay.value(upg, "keystone:server:region") == "RegionOne"


def test_networks_of_contrail_become_the_labs_own_and_that_is_said(theirs: Path, tmp_path: Path) -> None:
    file = theirs / "nodes/upg01.t.local.yml"
    file.write_text(file.read_text().replace("cpu_allocation_ratio: 7.5", "networking: contrail"))
    found = laid(theirs, tmp_path / "out")
    upg = pillar(tmp_path / "out", "upg01")
    assert overlay.value(upg, "nova:controller:networking") == "default"
    assert "nova:controller:networking" in found.replaced["upg01"]
    assert any(
        line.startswith("your networks are Contrail's: the lab has neutron with ML2 instead") for line in found.left
    )
    assert cloud_from_pillar({**lab_pillar(), "upg01.lab.local": upg}, "cfg01.lab.local").left_out == ()


def test_node_files_of_the_copy_are_their_owners_to_read_alone(at_home: tuple[Path, Laid]) -> None:
    out, _ = at_home
    files = [*(out / "nodes").iterdir(), *(out / "classes/lab_home").iterdir()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_model_that_was_not_prepared_is_refused_with_the_command_that_says_what_is_missing(
    theirs: Path, tmp_path: Path
) -> None:
    (theirs / "nodes/upg01.t.local.yml").unlink()
    with pytest.raises(LabRefused, match="no node is recognised as upgrade node; 'upgrader model check --inventory"):
        laid(theirs, tmp_path / "out")


def test_node_that_does_not_render_is_refused_with_what_is_wrong(theirs: Path, tmp_path: Path) -> None:
    file = theirs / "classes/cluster/t/database.yml"
    file.write_text(file.read_text() + "  broken: ${_param:of_nobody}\n")
    with pytest.raises(
        LabRefused, match="dbs01 does not render with your classes: _param:of_nobody is defined nowhere"
    ):
        laid(theirs, tmp_path / "out")


def test_folder_that_is_no_inventory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabRefused, match=r"--model .*empty: .*nodes is no folder"):
        lay_over(tmp_path / "empty", NOVA, "", (), tmp_path, tmp_path / "out")


def test_several_clouds_need_the_masters_name(theirs: Path, tmp_path: Path) -> None:
    with pytest.raises(LabRefused, match="several Salt masters"):
        lay_over(MODELS / "two-clouds", NOVA, "", (), tmp_path, tmp_path / "out")


def test_dumps_are_known_by_the_names_of_their_databases(tmp_path: Path) -> None:
    for name in ("heat.sql.gz", "keystone.sql", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert dump_names(tmp_path) == {"heat", "keystone"}
    assert dump_names(tmp_path / "gone") == frozenset()
