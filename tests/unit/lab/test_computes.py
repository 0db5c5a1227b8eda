"""Topology `computes`: two releases of packages, wires, configuration at Mitaka, workloads and the paths between them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from upgrader.errors import LabError, LabRefused
from upgrader.lab.cli import lab as lab_command
from upgrader.lab.contents.node_files import node_files
from upgrader.lab.contents.passwords import make_passwords
from upgrader.lab.contents.salt_keys import KeyPair
from upgrader.lab.control import model
from upgrader.lab.dataplane import packages, paths, wires, workloads
from upgrader.lab.dataplane.api import wait_for
from upgrader.lab.dataplane.provision import provision
from upgrader.lab.image.disks import BaseImage
from upgrader.lab.image.recipe import SCRIPTS
from upgrader.lab.lab import Lab
from upgrader.lab.machine import record
from upgrader.lab.mitaka.shape import Shape
from upgrader.lab.narrator import Narrator
from upgrader.lab.topology import COMPUTES, CONTROL, FLEET, NodePlan

KEYS = {plan.name: KeyPair("private", "public") for plan in COMPUTES.minions}
PLANS = {plan.name: plan for plan in COMPUTES.nodes}
AGENTS = {"neutron-openvswitch-agent", "neutron-l3-agent", "neutron-metadata-agent"}


def files_of(name: str) -> dict[str, Any]:
    return dict(node_files(PLANS[name], COMPUTES, KEYS, make_passwords()))


def test_control_plane_is_that_of_topology_control() -> None:
    others = [plan for plan in COMPUTES.nodes if not plan.wired and plan.name != "apt01"]
    assert others == [plan for plan in CONTROL.nodes if plan.name != "cmp001"]
    assert [plan.name for plan in COMPUTES.nodes if plan.wired] == ["cmp001", "cmp002", "cmp003", "cmp004", "gtw01"]


def test_model_knows_computes_and_gateways_and_names_ocatas_source(tmp_path: Path) -> None:
    image = tmp_path / "base.img"
    image.touch()
    made = model.files(COMPUTES, BaseImage(image, "0" * 64))
    roles = json.loads(made["classes/cluster/lab/roles.yml"].text)["parameters"]["upgrader"]["nodes"]
    assert roles["compute"] == [f"cmp00{n}.lab.local" for n in (1, 2, 3, 4)]
    assert roles["gateway"] == ["gtw01.lab.local"]
    (control,) = (
        json.loads(one["classes/cluster/lab/roles.yml"].text) for one in [model.files(CONTROL, BaseImage(image, ""))]
    )
    assert "gateway" not in control["parameters"]["upgrader"]["nodes"]

    folder = model.folders(COMPUTES)[-1]
    agents = yaml.safe_load((folder / "classes/cluster/lab/agents.yml").read_text())["parameters"]
    line = agents["linux"]["system"]["repo"]["openstack"]["source"]
    named = line.replace("${_param:lab_packages}", agents["_param"]["lab_packages"])
    mitaka = files_of("cmp001")["etc/apt/sources.list.d/openstack.list"].text
    assert named + "\n" == mitaka.replace("mitaka", "ocata") != mitaka
    for plan in COMPUTES.wired:
        assert json.loads(made[f"nodes/{plan.minion_id}.yml"].text)["classes"] == [f"cluster.lab.{plan.layer}"]
        assert (folder / f"classes/cluster/lab/{plan.layer}.yml").exists()


def test_a_compute_is_configured_for_mitaka() -> None:
    files = files_of("cmp003")
    assert "[placement]" not in files["etc/nova/nova.conf"].text
    openvswitch = files["etc/neutron/plugins/ml2/openvswitch_agent.ini"].text
    assert "local_ip = 10.31.0.3\n" in openvswitch
    assert "of_interface" not in openvswitch
    assert "agent_mode = dvr\n" in files["etc/neutron/l3_agent.ini"].text
    assert "10.31.0.3/16" in files["usr/local/sbin/lab-bridges"].text


def test_a_gateway_has_snat_and_dhcp_and_no_nova() -> None:
    files = files_of("gtw01")
    assert "agent_mode = dvr_snat\n" in files["etc/neutron/l3_agent.ini"].text
    assert "etc/neutron/dhcp_agent.ini" in files
    assert "etc/nova/nova.conf" not in files


def test_tunnels_end_where_the_generated_cloud_has_them() -> None:
    addresses = {name: plan for name, plan in PLANS.items() if plan.wired}
    assert {name: plan.tunnel_address for name, plan in addresses.items()} == {
        "cmp001": "10.31.0.1", "cmp002": "10.31.0.2", "cmp003": "10.31.0.3", "cmp004": "10.31.0.4", "gtw01": "10.31.1.1",
    }  # fmt: skip


def test_a_fleet_is_the_hosts_of_a_cloud_of_a_thousand_instances() -> None:
    shape = Shape(1000, 1)
    computes = [plan.name for plan in FLEET.wired if plan.layer == "compute"]
    assert computes == [shape.host(number) for number in range(1, shape.hosts + 1)]
    assert len(computes) == 20 and FLEET.wired[:4] == COMPUTES.wired[:4]
    for addresses in (
        [plan.address for plan in FLEET.nodes],
        [plan.tunnel_address for plan in FLEET.wired],
    ):
        assert len(addresses) == len(set(addresses))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    (folder / "suites.json").write_text(packages.suites())
    program = [
        sys.executable,
        "-B",
        str(SCRIPTS / "build_suites.py"),
        str(folder / "suites.json"),
        str(folder / "made"),
    ]
    subprocess.run(program, check=True)
    return folder / "made"


def listed(repository: Path, suite: str) -> dict[str, dict[str, str]]:
    text = (repository / "dists" / suite / "main/binary-amd64/Packages").read_text()
    entries = [dict(line.split(": ", 1) for line in entry.splitlines()) for entry in text.strip().split("\n\n")]
    return {entry["Package"]: entry for entry in entries}


def newer(one: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0


def test_every_package_of_mitaka_is_newer_in_ocata_which_has_more(repository: Path) -> None:
    mitaka, ocata = listed(repository, "mitaka"), listed(repository, "ocata")
    assert AGENTS | {"nova-compute", "neutron-dhcp-agent", "qemu-kvm", "libvirt-bin"} < set(mitaka) < set(ocata)
    assert all(newer(ocata[name]["Version"], mitaka[name]["Version"]) for name in mitaka)
    assert "openvswitch-switch" not in ocata
    for entry in (*mitaka.values(), *ocata.values()):
        assert (repository / entry["Filename"]).stat().st_size == int(entry["Size"])


def test_configuration_files_differ_between_the_releases_and_are_dpkgs(repository: Path, tmp_path: Path) -> None:
    texts = {}
    for suite in ("mitaka", "ocata"):
        archive = repository / listed(repository, suite)["neutron-openvswitch-agent"]["Filename"]
        subprocess.run(["dpkg-deb", "--raw-extract", str(archive), str(tmp_path / suite)], check=True)
        path = (tmp_path / suite / "DEBIAN/conffiles").read_text().strip()
        texts[suite] = (tmp_path / suite / path.lstrip("/")).read_text()
        scripts = {name: (tmp_path / suite / "DEBIAN" / name).read_text() for name in ("postinst", "prerm")}
        assert "invoke-rc.d neutron-openvswitch-agent restart" in scripts["postinst"]
        assert "invoke-rc.d neutron-openvswitch-agent stop" in scripts["prerm"]
    assert texts["mitaka"] != texts["ocata"]


def test_only_mitakas_code_calls_itself_mitaka() -> None:
    for release in packages.RELEASES:
        (nova,) = (one for one in packages.packages_of(release) if one.name == "python-nova")
        said = nova.files["/usr/share/lab-openstack/nova_release.py"]
        assert f'NAME = "{release.name}"' in said


def test_a_node_without_wires_gets_no_rights() -> None:
    assert wires.options(PLANS["msg01"]) == []
    options = wires.options(PLANS["gtw01"])
    assert "--network-veth-extra=vp-gtw01:phys0" in options
    assert "--network-veth-extra=vm-gtw01:mesh0" in options
    # Names of the kernel's interfaces have 15 characters.
    ends = [prefix + plan.name for plan in COMPUTES.nodes if plan.wired for prefix, _ in wires.ENDS.values()]
    assert max(map(len, ends)) <= 15


MADE = [
    paths.Workload(
        one.name, f"id-{one.name}", one.host, one.network, f"10.9.0.{n}", f"172.24.9.{n}" if one.floating else ""
    )
    for n, one in enumerate(workloads.SERVERS)
]


def test_paths_are_of_every_class_and_begin_on_every_compute() -> None:
    found = paths.paths(MADE)
    classes = {paths.SAME_HOST, paths.CROSS_HOST, paths.ROUTED, paths.FLOATING_OUT, paths.FLOATING_IN, paths.SNAT}
    assert {one.kind for one in found} == classes
    assert {one.host for one in found} == {plan.name for plan in COMPUTES.nodes if plan.layer == "compute"}
    for kind in (paths.SNAT, paths.FLOATING_OUT):
        assert {one.legacy for one in found if one.kind == kind} == {True, False}
        assert {one.address for one in found if one.kind == kind} == {wires.BEYOND}


def test_no_path_crosses_two_routers() -> None:
    networks = {one.address: one.network for one in MADE}
    sources = {one.namespace: one.network for one in MADE}
    for one in paths.paths(MADE):
        if one.kind == paths.ROUTED:
            routers = {workloads.NETWORKS[name][1] for name in (sources[one.source], networks[one.address])}
            assert routers == {"lab-dvr"}


def test_instances_fit_into_the_quota_of_a_project() -> None:
    assert len(workloads.SERVERS) <= 10


def test_what_never_comes_is_said_with_what_was_seen_last() -> None:
    with pytest.raises(LabError, match="agents was waited for 0 s: L3 agent of gtw01"):
        wait_for("agents", 0, lambda: "L3 agent of gtw01")


def test_workloads_are_refused_where_there_are_no_computes(tmp_path: Path) -> None:
    the = Lab("test", tmp_path, tmp_path / "cache")
    the.folder.mkdir()
    record.write(the.folder / "lab.json", {"topology": "nova"})
    with pytest.raises(LabRefused, match="take topology computes"):
        provision(the, Narrator(quiet=True))


def test_command_shows_each_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"instances": [vars(one) for one in MADE], "paths": []}
    monkeypatch.setattr("upgrader.lab.cli.provision", lambda lab, narrator: made)
    said = CliRunner().invoke(lab_command, ["workloads"])
    assert said.exit_code == 0
    assert len(said.output.splitlines()) == len(MADE)
    assert json.loads(CliRunner().invoke(lab_command, ["workloads", "-o", "json"]).output) == made


def test_a_node_plan_is_not_wired_unless_it_says_so() -> None:
    assert not NodePlan("x", "10.20.0.99", "services").wired
