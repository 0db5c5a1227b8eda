"""The control plane for real: rehearsed, built anew on Ocata, taken back, forward again and closed, in a lab of its own.

Its controllers are virtual machines of a foundation node. Mitaka's are a stand-in that answers from production's databases
(docs/lab.md); everything else is real. What is asserted is read from the servers, the machines and the wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import NAME
from tests.support.rehearsal import SOURCES, Rehearsal
from upgrader.lab import Lab
from upgrader.lab.narrator import Narrator

CTL, DISK = "ctl01.lab.local", "/srv/vm/ctl01.lab.local/system.img"
INSTANCES = 50
REAL = ("control-plane", "--stage", "real-upgrade", "--yes")
BACK = ("control-plane", "--stage", "rollback", "--yes")
PORTS = {"keystone": 5000, "glance": 9292, "nova": 8774, "cinder": 8776, "neutron": 9696, "heat": 8004}

# Nodes have no curl; several choices (300) are an answer like any other.
ASK = """
import sys, urllib.error, urllib.request
try:
    said = urllib.request.urlopen(sys.argv[1], timeout=10)
except urllib.error.HTTPError as error:
    said = error
print(said.read().decode())
"""


class Upgrade(Rehearsal):
    """Production's control plane in its lab."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.kvm = lab.node("kvm01")

    def document(self, *words: str) -> dict[str, Any]:
        """A stage to its end, well."""
        ran = self.run(*words, "-o", "json")
        assert ran.returncode == 0, ran.stderr[-3000:]
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def api(self, name: str) -> dict[str, Any]:
        """What an API says of itself at the virtual address, as a client in the lab asks."""
        asked = ["/opt/salt/bin/python", "-c", ASK, f"http://vip01.lab.local:{PORTS[name]}/"]
        told: dict[str, Any] = json.loads(self.cfg.run(asked).stdout)
        return told

    def microversion(self) -> str:
        """The newest that nova serves: Mitaka 2.25, Ocata 2.42."""
        return str(max(one.get("version", "") for one in self.api("nova")["versions"]))

    def on_controller(self, *command: str) -> str:
        return self.cfg.run(["salt", "--out=newline_values_only", CTL, "cmd.run", " ".join(command)]).stdout

    def disks(self) -> list[str]:
        return sorted(self.kvm.run(["ls", "/srv/vm/ctl01.lab.local"]).stdout.split())

    def members(self) -> str:
        asked = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_size'"
        return str(self.scalar(asked))


@pytest.fixture(scope="module")
def upgrade() -> Iterator[Upgrade]:
    """A lab whose control plane was rehearsed."""
    lab = Lab(f"{NAME}c", narrator=Narrator())
    lab.down()
    lab.up(topology="control", instances=INSTANCES)
    try:
        the = Upgrade(lab)
        the.document("control-plane", "--stage", "test-upgrade")
        yield the
    finally:
        lab.down()


def seconds(document: dict[str, Any]) -> str:
    return ", ".join(f"{step['id']} {step['seconds']:.0f}" for step in document["steps"] if (step["seconds"] or 0) >= 3)


def away(document: dict[str, Any]) -> dict[str, float]:
    """How long each API was away, by the prober."""
    (reply,) = next(step for step in document["steps"] if step["id"] == "watch-end")["replies"].values()
    return {name: one["down_seconds"] for name, one in reply["value"]["targets"].items()}


def test_control_plane_goes_to_ocata_and_back_and_nothing_is_lost(upgrade: Upgrade) -> None:
    before, disks = upgrade.checksums(SOURCES), upgrade.disks()
    old = upgrade.microversion()
    document = upgrade.document(*REAL)
    print(f"\nreal-upgrade: APIs away {away(document)}; steps of 3 s and more: {seconds(document)}")
    run = document["run"]
    assert upgrade.microversion() > old
    assert upgrade.scalar("SELECT version FROM nova.migrate_version") == 347
    assert upgrade.scalar("SELECT COUNT(*) FROM nova_api.instance_mappings WHERE cell_id IS NOT NULL") == INSTANCES
    assert any(name.startswith(f"system.img.kept-{run}") for name in upgrade.disks())
    upgrade.execute("INSERT INTO nova.key_pairs (name, user_id, type) VALUES ('written since', 'x', 'ssh')")

    back = upgrade.document(*BACK)
    print(f"rollback: APIs away {away(back)}; steps of 3 s and more: {seconds(back)}")
    assert upgrade.checksums(SOURCES) == before
    assert upgrade.microversion() == old
    assert "nova_cell0" not in upgrade.production()
    assert upgrade.members() == "3"
    assert [name for name in upgrade.disks() if "replaced" not in name] == disks
