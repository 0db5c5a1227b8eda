"""The data plane for real: Mitaka's computes under Ocata's control plane, one of them upgraded and taken back, then all of them.

In a lab of its own whose control plane went through rehearsal and real upgrade. Real agents on Open vSwitch, real apt; instances are
network namespaces, and Mitaka's packages a stand-in (docs/lab.md). What is asserted is read from servers, dpkg and by pings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.lab.conftest import NAME
from tests.lab.test_real_upgrade import INSTANCES, REAL, Upgrade
from upgrader.lab import Lab
from upgrader.lab.dataplane.provision import agents_anew, provision
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator

pytestmark = pytest.mark.soak
COMPUTES, GATEWAY = ("cmp001", "cmp002", "cmp003", "cmp004"), "gtw01"
VERSIONS = (
    "SELECT CONCAT(host, ' ', version) FROM nova.services WHERE deleted = 0 AND `binary` = 'nova-compute' ORDER BY host"
)
PROVIDERS = "SELECT name FROM nova_api.resource_providers ORDER BY name"
BEYOND = "198.51.100.1"
MODEL = "/srv/salt/reclass/classes/cluster/lab/controller.yml"
DISABLED = "SELECT host FROM nova.services WHERE deleted = 0 AND disabled = 1 AND `binary` = 'nova-compute'"
ALLOCATED = (
    "SELECT COUNT(*) FROM nova.instances i LEFT JOIN nova_api.allocations a ON a.consumer_id = i.uuid "
    "WHERE i.deleted = 0 AND i.vm_state != 'error' AND i.host LIKE 'cmp0%' AND a.id IS NULL"
)
SOURCES = "/etc/apt/sources.list.d/openstack.list"


@dataclass
class DataPlane:
    """The lab with what was made in it."""

    lab: Lab
    control: Upgrade
    made: dict[str, Any]

    def node(self, name: str) -> Node:
        return self.lab.node(name)

    def stage(self, *words: str) -> CompletedProcess[str]:
        """The command of the data plane; what each path lost is printed."""
        ran = self.control.run("data-plane", *words, timeout=2700)
        print("\n".join(line for line in ran.stderr.splitlines() if "lost: " in line))
        return ran

    def longest_gaps(self) -> dict[str, float]:
        """Of the newest run, by class of path: for how many seconds at most nothing came back."""
        rows = [
            row
            for row in self.control.journal()
            if row["event"] == "node-finished" and row["step"].endswith("paths-end")
        ]
        classes = [one for row in rows for one in row["reply"]["value"]["classes"].items()]
        return {name: max(told["longest_seconds"] for other, told in classes if other == name) for name, _ in classes}

    def nova(self, name: str) -> str:
        """The version of nova-compute by dpkg."""
        return self.node(name).run(["dpkg-query", "-W", "-f", "${Version}", "nova-compute"]).stdout

    def unpin(self) -> None:
        """The model of the controllers no longer says that there are computes of Mitaka."""
        pinned = self.control.cfg.run(["cat", MODEL]).stdout
        head = "  nova:\n    controller:\n"
        assert pinned.count(head) == 1
        free = pinned.replace(head, f"{head}      upgrade_levels:\n        compute: auto\n")
        self.control.cfg.run(["tee", MODEL], input=free)

    def simulated(self, name: str, suite: str) -> set[str]:
        """Which packages apt would bring from a suite; the node's own source is put back."""
        node = self.node(name)
        line = node.run(["cat", SOURCES]).stdout
        try:
            node.run(["tee", SOURCES], input=line.replace("mitaka", suite))
            node.run(["apt-get", "-q", "update"])
            said = node.run(["apt-get", "-q", "-s", "dist-upgrade"]).stdout
        finally:
            node.run(["tee", SOURCES], input=line)
            node.run(["apt-get", "-q", "update"])
        return {words[1] for words in map(str.split, said.splitlines()) if words and words[0] == "Inst"}


@contextlib.contextmanager
def under_ocata(letter: str, topology: str = "computes", instances: int = INSTANCES) -> Iterator[DataPlane]:
    """A lab of its own whose control plane is Ocata's, with instances on Mitaka's computes."""
    lab = Lab(f"{NAME}{letter}", narrator=Narrator())
    lab.down()
    lab.up(topology=topology, instances=instances)
    try:
        control = Upgrade(lab)
        control.document("control-plane", "--stage", "test-upgrade")
        # The agents have waited for a server since they began: they would come back by themselves within ten minutes.
        with control.when("computes-reconnect", "step-started", lambda: agents_anew(lab)):
            ran = control.run(*REAL, timeout=1800)
        if ran.returncode:
            # Sixty agents of twenty computes begin at once on the machine of one lab: the server at the end may come too late.
            assert "failed verify-server" in ran.stderr, ran.stderr[-3000:]
            control.document("resume")
        yield DataPlane(lab, control, provision(lab, lab.narrator))
    finally:
        lab.down()


@pytest.fixture(scope="module")
def plane() -> Iterator[DataPlane]:
    with under_ocata("p") as the:
        yield the


def silent(plane: DataPlane) -> list[str]:
    """The paths on which none of three pings was answered."""

    def answered(path: dict[str, Any]) -> bool:
        ping = ["ip", "netns", "exec", path["source"], "ping", "-q", "-c", "3", "-i", "0.2", "-W", "2", path["address"]]
        return plane.node(path["host"]).run(ping, check=False).returncode == 0

    with ThreadPoolExecutor(4) as pool:
        good = list(pool.map(answered, plane.made["paths"]))
    return [
        f"{path['instance']} to {path['address']} ({path['kind']})"
        for path, fine in zip(plane.made["paths"], good, strict=True)
        if not fine
    ]


def test_ocatas_control_plane_booted_instances_on_mitakas_computes(plane: DataPlane) -> None:
    assert plane.control.column(VERSIONS) == [f"{name} 9" for name in COMPUTES]
    assert plane.control.column(PROVIDERS) == []
    assert {one["host"] for one in plane.made["instances"]} == set(COMPUTES)
    for one in plane.made["instances"]:
        assert f"i-{one['id']}" in plane.node(one["host"]).run(["ip", "netns", "list"]).stdout


def test_every_class_of_path_answers(plane: DataPlane) -> None:
    assert silent(plane) == []


def test_apt_sees_the_two_releases(plane: DataPlane) -> None:
    assert plane.simulated("cmp001", "mitaka") == set()
    compute, gateway = plane.simulated("cmp001", "ocata"), plane.simulated(GATEWAY, "ocata")
    assert {
        "nova-compute",
        "python-nova",
        "neutron-openvswitch-agent",
        "neutron-l3-agent",
        "python-os-vif",
        "qemu-kvm",
    } <= compute
    assert {"neutron-dhcp-agent", "neutron-l3-agent"} <= gateway
    assert not any(name.startswith("nova") for name in gateway)
    assert "openvswitch-switch" not in compute | gateway


def test_instances_outlive_nova_compute_and_what_made_them_is_made_once(plane: DataPlane) -> None:
    plane.node("cmp001").run(["systemctl", "restart", "nova-compute"])
    again = provision(plane.lab, plane.lab.narrator)
    assert again == plane.made
    assert silent(plane) == []


def test_sample_goes_to_ocata_and_back_and_every_path_answers_behind_each(plane: DataPlane) -> None:
    shown = plane.stage("--target", "cmp*", "--stage", "test")
    assert shown.returncode == 0, shown.stderr[-2000:]
    assert "cmp001, cmp002, cmp003, cmp004: 13 packages" in shown.stdout
    sample = plane.stage("--target", "cmp*", "--stage", "sample", "--sample", "cmp001", "--beyond", BEYOND, "--yes")
    assert sample.returncode == 0, sample.stderr[-2000:]
    gaps = plane.longest_gaps()
    assert {"same-host", "cross-host", "routed", "floating-in", "floating-out", "snat"} <= set(gaps)
    assert max(gaps.values()) < 2.0, f"instances noticed it, seconds by class of path: {gaps}"
    assert plane.control.column(VERSIONS) == ["cmp001 16", "cmp002 9", "cmp003 9", "cmp004 9"]
    assert plane.nova("cmp001").startswith("2:15") and plane.nova("cmp002").startswith("2:13")
    assert len(plane.control.column(PROVIDERS)) == 1 and plane.control.column(DISABLED) == []
    assert silent(plane) == []
    back = plane.stage("--stage", "rollback", "--beyond", BEYOND, "--yes")
    assert back.returncode == 0, back.stderr[-2000:]
    assert plane.control.column(VERSIONS) == [f"{name} 9" for name in COMPUTES]
    assert plane.nova("cmp001").startswith("2:13") and plane.control.column(DISABLED) == []
    assert silent(plane) == []


def test_all_computes_and_the_gateway_go_to_ocata_and_placement_is_asked(plane: DataPlane) -> None:
    everywhere = ("--target", "cmp*,gtw*", "--beyond", BEYOND, "--yes")
    ran = plane.stage(*everywhere, "--sample", "cmp002", "--batch", "2")
    assert ran.returncode == 1 and "nova:controller:upgrade_levels:compute of ctl01.lab.local is 'mitaka'" in ran.stderr
    assert "behind the last one nothing leads back" in ran.stderr
    assert plane.control.column(VERSIONS) == [f"{name} 16" for name in COMPUTES]
    plane.unpin()
    plane.control.document("resume", "--accept-pillar")
    assert len(plane.control.column(PROVIDERS)) == len(COMPUTES)
    assert plane.control.scalar(ALLOCATED) == 0
    assert plane.nova("cmp004").startswith("2:15") and plane.control.column(DISABLED) == []
    assert silent(plane) == []
