"""The profile with a site's own Salt: which nodes have it, that it lies beside ours and never on it, what its packages are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from upgrader.errors import LabRefused
from upgrader.lab.contents.node_file import NodeFile
from upgrader.lab.contents.passwords import AWKWARD, make_passwords
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.contents.shipped import ship
from upgrader.lab.contents.site_salt import ROOT, site_salt_files
from upgrader.lab.image.recipe import SCRIPTS, chain, lab_recipes, up_to
from upgrader.lab.site.package import Package
from upgrader.lab.site.packages import package_list, site_packages
from upgrader.lab.topology import BENCH, BUILTIN, MCP, NOVA, in_profile

SITE = in_profile(NOVA, MCP)
# What the packages need of Debian is in the layer already: a node reaches no archive.
IN_THE_LAYER = {"apache2"}


def files_of(name: str) -> dict[str, NodeFile]:
    keys = {node.name: KeyPair(f"private {node.name}", f"public {node.name}") for node in SITE.site_minions}
    (plan,) = (node for node in SITE.nodes if node.name == name)
    return site_salt_files(plan, SITE, keys)


def test_every_minion_is_one_of_the_sites_too_and_no_other_node_is() -> None:
    assert [node.name for node in SITE.site_minions] == ["cfg01", "dbs01", "dbs02", "dbs03", "upg01"]
    assert SITE.master is not None
    assert SITE.master.runs("site-salt-master")
    assert "site" in SITE.layers
    assert [node for node in SITE.nodes if node.name == "ctl01"] == [
        node for node in NOVA.nodes if node.name == "ctl01"
    ]


def test_builtin_lab_is_what_it_was() -> None:
    assert in_profile(NOVA, BUILTIN) is NOVA
    assert NOVA.site_minions == ()
    assert set(NOVA.layers) == {"services", "mariadb"}


def test_topology_without_a_master_has_no_site() -> None:
    with pytest.raises(LabRefused, match="topology bench has none; take topology nova"):
        in_profile(BENCH, MCP)


def test_sites_layer_stands_on_the_services_and_changes_no_other_layers_key() -> None:
    layers = chain(lab_recipes())
    without = chain(tuple(recipe for recipe in lab_recipes() if recipe.name != "site"))
    assert [layer for layer in layers if layer.recipe.name != "site"] == list(without)
    assert [layer.recipe.name for layer in up_to(layers, "site")][-2:] == ["services", "site"]
    assert "site" not in [layer.recipe.name for layer in up_to(layers, "sysvinit")]


def test_nothing_of_the_sites_salt_lies_where_ours_does() -> None:
    for name in ("cfg01", "upg01"):
        files = files_of(name)
        ours = [
            path for path in files if path.startswith(("etc/salt", "var/cache/salt", "usr/local/bin/salt", "srv/salt"))
        ]
        assert ours == []
        units = [path for path in files if path.startswith("etc/systemd")]
        assert units and all("/site-salt-" in path for path in units)
        for daemon in ("minion", "master"):
            if (path := f"opt/site/etc/salt/{daemon}") in files:
                assert json.loads(files[path].text)["root_dir"] == ROOT


def test_both_ends_of_the_sites_salt_speak_through_the_same_ports_and_none_of_ours() -> None:
    master = json.loads(files_of("cfg01")["opt/site/etc/salt/master"].text)
    minion = json.loads(files_of("upg01")["opt/site/etc/salt/minion"].text)
    assert minion["master_port"] == master["ret_port"]
    assert {master["publish_port"], master["ret_port"]}.isdisjoint({4505, 4506})


def test_each_minion_of_the_site_holds_its_own_private_key_and_the_master_all_public_ones() -> None:
    pki = "opt/site/etc/salt/pki"
    assert files_of("upg01")[f"{pki}/minion/minion.pem"].mode == 0o400
    assert "private dbs01" not in "".join(file.text for file in files_of("upg01").values())
    known = [path for path in files_of("cfg01") if path.startswith(f"{pki}/master/minions/")]
    assert sorted(Path(path).name for path in known) == sorted(node.minion_id for node in SITE.site_minions)


def test_nodes_without_salt_get_nothing_of_the_sites() -> None:
    assert files_of("ctl01") == {}


def test_passwords_of_a_site_need_no_quoting() -> None:
    made = make_passwords(plain=True)
    for password in (*made.services.values(), *made.clones.values(), made.keystone_upgrade):
        assert password.isalnum()
    assert all(character in make_passwords().nova for character in AWKWARD)


def test_a_sites_model_replaces_the_upgrade_node_and_brings_its_formulas(tmp_path: Path) -> None:
    shipped = {}
    for of_a_site in (False, True):
        root = tmp_path / str(of_a_site)
        ship(root, make_passwords(), of_a_site)
        shipped[of_a_site] = root
    node = "srv/salt/reclass/nodes/upg01.lab.local.yml"
    assert "engine: venv" in (shipped[False] / node).read_text()
    assert "engine: venv" not in (shipped[True] / node).read_text()
    assert not (shipped[False] / "srv/site").exists()
    assert (shipped[True] / "srv/site/formulas/nova/controller.sls").is_file()
    assert not (shipped[True] / "srv/salt/formulas/nova").exists()


def test_what_a_package_depends_on_is_a_package_of_the_site_or_in_its_layer() -> None:
    names = [package.name for package in site_packages()]
    assert len(names) == len(set(names))
    needed = {name for package in site_packages() for name in package.depends}
    assert needed - set(names) - IN_THE_LAYER == set()


def test_each_daemon_is_a_command_of_its_own_package() -> None:
    for package in site_packages():
        for name, text in package.units.items():
            program = f"/usr/bin/{name}"
            assert program in package.links or "/bin/sleep infinity" in text, package.name


def test_every_package_that_a_formula_installs_is_there() -> None:
    names = {package.name for package in site_packages()} | {"apache2", "memcached", "rabbitmq-server"}
    installed: set[str] = set()
    for path in (SCRIPTS.parent / "site" / "formulas").rglob("*.sls"):
        for listed in re.findall(r"pkg\.installed:\n +- pkgs: (.*)", path.read_text()):
            installed |= set(re.findall(r"[a-z][a-z0-9-]+", listed)) - {"daemons", "json"}
    assert {"nova-placement-api", "keystone", "openstack-dashboard", "heat-common"} <= installed
    assert installed - names == set()


def test_the_same_packages_give_the_layer_the_same_key() -> None:
    assert package_list() == package_list()
    assert {package.name: package.version for package in site_packages()}["nova-common"] == "2:15.1.5-0ubuntu1~cloud0"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = Package(
        "nova-made-up",
        "2:15.0-1",
        ("nova-common",),
        files={"/etc/nova/made-up.conf": "[DEFAULT]\n"},
        scripts={"/usr/bin/made-up": "#!/bin/sh\n"},
        links={"/usr/bin/elsewhere": "/opt/elsewhere"},
        units={"nova-made-up": "[Service]\n"},
        configure=("true",),
    )
    listed = tmp_path / "packages.json"
    listed.write_text(json.dumps([made.to_json()]))
    command = [sys.executable, str(SCRIPTS / "build_packages.py"), str(listed), str(tmp_path / "packages")]
    subprocess.run(command, check=True)
    return tmp_path / "packages"


def dpkg(*words: str) -> str:
    return subprocess.run(["dpkg-deb", *words], check=True, capture_output=True, text=True).stdout


def test_built_package_holds_files_commands_and_units_of_root(repository: Path) -> None:
    (archive,) = repository.glob("*.deb")
    assert archive.name == "nova-made-up_15.0-1_all.deb"
    assert dpkg("--field", str(archive), "Version", "Depends") == "Version: 2:15.0-1\nDepends: nova-common\n"
    listed = {line.split(maxsplit=5)[5]: line.split()[:2] for line in dpkg("--contents", str(archive)).splitlines()}
    assert listed["./etc/nova/made-up.conf"] == ["-rw-r--r--", "root/root"]
    assert listed["./usr/bin/made-up"] == ["-rwxr-xr-x", "root/root"]
    assert "./usr/bin/elsewhere -> /opt/elsewhere" in listed
    assert "./lib/systemd/system/nova-made-up.service" in listed


def test_built_package_keeps_a_changed_configuration_and_starts_its_unit(repository: Path, tmp_path: Path) -> None:
    (archive,) = repository.glob("*.deb")
    dpkg("--control", str(archive), str(tmp_path / "control"))
    assert (tmp_path / "control/conffiles").read_text() == "/etc/nova/made-up.conf\n"
    postinst = (tmp_path / "control/postinst").read_text()
    assert "invoke-rc.d nova-made-up restart" in postinst
    assert os.access(tmp_path / "control/postinst", os.X_OK)


def test_index_names_each_archive_with_its_hash(repository: Path) -> None:
    (archive,) = repository.glob("*.deb")
    index = (repository / "Packages").read_text()
    assert f"Filename: ./{archive.name}\n" in index
    assert f"SHA256: {hashlib.sha256(archive.read_bytes()).hexdigest()}\n" in index
