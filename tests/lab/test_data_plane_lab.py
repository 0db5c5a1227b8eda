"""The lab's own data plane: Mitaka's computes under Ocata's control plane, agents that are alive, and every class of path.

It is what tests of the stage `data-plane` begin with, in a lab of its own whose control plane went through rehearsal and real upgrade.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
SOURCES = "/etc/apt/sources.list.d/openstack.list"


@dataclass
class DataPlane:
    """The lab with what was made in it."""

    lab: Lab
    control: Upgrade
    made: dict[str, Any]

    def node(self, name: str) -> Node:
        return self.lab.node(name)

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


@pytest.fixture(scope="module")
def plane() -> Iterator[DataPlane]:
    lab = Lab(f"{NAME}p", narrator=Narrator())
    lab.down()
    lab.up(topology="computes", instances=INSTANCES)
    try:
        control = Upgrade(lab)
        control.document("control-plane", "--stage", "test-upgrade")
        # The agents have waited for a server since they began: they would come back by themselves within ten minutes.
        with control.when("computes-reconnect", "step-started", lambda: agents_anew(lab)):
            control.document(*REAL)
        yield DataPlane(lab, control, provision(lab, lab.narrator))
    finally:
        lab.down()


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
