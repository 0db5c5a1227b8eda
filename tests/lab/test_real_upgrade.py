"""The control plane for real: rehearsed, built anew on Ocata, taken back, forward again and closed, in a lab of its own.

Its controllers are virtual machines of a foundation node. Mitaka's are a stand-in that answers from production's databases
(docs/lab.md); everything else is real. What is asserted is read from the servers, the machines and the wire.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest

from tests.lab.conftest import NAME
from tests.support.rehearsal import SOURCES, Rehearsal
from upgrader.lab import Lab
from upgrader.lab.narrator import Narrator

INSTANCES = 50
REAL = ("control-plane", "--stage", "real-upgrade", "--yes")
BACK = ("control-plane", "--stage", "rollback")
PORTS = {"keystone": 5000, "glance": 9292, "nova": 8774, "cinder": 8776, "neutron": 9696, "heat": 8004}
ASK = "import http.client, sys; c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10); c.request('GET', '/'); "
UNMAPPED = (
    "SELECT COUNT(*) FROM nova.instances i LEFT JOIN nova_api.instance_mappings m ON m.instance_uuid = i.uuid "
    "WHERE i.deleted = 0 AND m.cell_id IS NULL"
)
SIZE = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'WSREP_CLUSTER_SIZE'"


class Upgrade(Rehearsal):
    """Production's control plane in its lab."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.kvm = lab.node("kvm01")

    def document(self, *words: str) -> dict[str, Any]:
        """A stage to its end, well."""
        ran = self.run(*words, "-o", "json", timeout=2700)
        assert ran.returncode == 0, ran.stderr[-3000:]
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def api(self, name: str) -> dict[str, Any]:
        """What an API says of itself at the virtual address, as a client in the lab asks."""
        program = ["/opt/salt/bin/python3", "-c", ASK + "print(c.getresponse().read().decode())"]
        told: dict[str, Any] = json.loads(self.cfg.run([*program, "vip01.lab.local", str(PORTS[name])]).stdout)
        return told

    def microversion(self) -> str:
        """The newest that nova serves: Mitaka 2.25, Ocata 2.42."""
        return str(max(one.get("version", "") for one in self.api("nova")["versions"]))

    def disks(self) -> list[str]:
        """What lies beside the controller's disk, but for what ways back moved aside."""
        names = self.kvm.run(["ls", "/srv/vm/ctl01.lab.local"]).stdout.split()
        return sorted(name for name in names if ".replaced-" not in name)

    def members(self) -> str:
        """How many members the cluster has."""
        return str(self.scalar(SIZE))


The = TypeVar("The", bound=Upgrade)


@contextlib.contextmanager
def rehearsed(letter: str, kind: type[The], topology: str = "control") -> Iterator[The]:
    """A lab of its own whose control plane was rehearsed."""
    lab = Lab(f"{NAME}{letter}", narrator=Narrator())
    lab.down()
    lab.up(topology=topology, instances=INSTANCES)
    try:
        the = kind(lab)
        the.document("control-plane", "--stage", "test-upgrade")
        yield the
    finally:
        lab.down()


@pytest.fixture(scope="module")
def upgrade() -> Iterator[Upgrade]:
    with rehearsed("c", Upgrade) as the:
        yield the


def seconds(document: dict[str, Any]) -> str:
    return ", ".join(f"{step['id']} {step['seconds']:.0f}" for step in document["steps"] if (step["seconds"] or 0) >= 3)


def away(document: dict[str, Any]) -> dict[str, float]:
    """How long each API was away, by the prober."""
    (reply,) = next(step for step in document["steps"] if step["id"] == "watch-end")["replies"].values()
    return {name: one["down_seconds"] for name, one in reply["value"]["targets"].items()}


def test_control_plane_goes_to_ocata_through_a_kill_and_back_and_nothing_is_lost(upgrade: Upgrade) -> None:
    before, disks, old = upgrade.checksums(SOURCES), upgrade.disks(), upgrade.microversion()
    assert upgrade.kill_at(REAL, "nova-db", "step-started", 1.0)
    run = upgrade.run_id()
    document = upgrade.document("resume")
    assert document["run"] == run
    print(f"\nreal-upgrade: APIs away {away(document)}; steps of 3 s and more: {seconds(document)}")
    assert upgrade.microversion() > old
    assert upgrade.scalar("SELECT version FROM nova.migrate_version") == 347
    assert upgrade.scalar(UNMAPPED) == 0
    assert f"system.img.kept-{run}" in upgrade.disks()
    assert upgrade.scalar(SIZE) == "2"
    # What a power cut in the next night leaves: production's services come back by themselves.
    boots = upgrade.lab.node("ctl01").run(
        ["systemctl", "is-enabled", "keystone", "nova-api", "heat-engine"], check=False
    )
    assert boots.stdout.split() == ["enabled"] * 3

    # Somebody deletes an image meanwhile: the way back says so by name, and it is there again afterwards.
    upgrade.execute("UPDATE glance.images SET deleted = 1 WHERE deleted = 0 ORDER BY id LIMIT 1")
    asked = upgrade.run(*BACK)
    assert asked.returncode == 2, asked.stderr
    assert "images deleted since, which comes back: " in asked.stderr

    back = upgrade.document(*BACK, "--yes")
    print(f"rollback: APIs away {away(back)}; steps of 3 s and more: {seconds(back)}")
    assert upgrade.checksums(SOURCES) == before
    assert upgrade.microversion() == old
    assert "nova_cell0" not in upgrade.production()
    assert upgrade.scalar(SIZE) == "3"
    assert upgrade.disks() == disks


@pytest.mark.soak
def test_forward_again_and_the_last_word(upgrade: Upgrade) -> None:
    document = upgrade.document(*REAL)
    print(f"\nforward again: APIs away {away(document)}; steps of 3 s and more: {seconds(document)}")
    closed = upgrade.document("control-plane", "--stage", "finish", "--yes")
    print(f"finish: {seconds(closed)}")
    assert upgrade.scalar(SIZE) == "3"
    assert not [name for name in upgrade.disks() if ".kept-" in name]
    assert upgrade.run(*BACK, "--yes").returncode == 3
