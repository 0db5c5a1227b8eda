"""A virtual machine of a hypervisor of the lab: entered as any node is, started and stopped by libvirt there, and by nobody here."""

from __future__ import annotations

import contextlib
from pathlib import Path

from upgrader_node.machine import blueprint

from upgrader.lab.image.disks import make_disk
from upgrader.lab.machine import cgroups
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import inner_pids, parent
from upgrader.lab.topology import NodePlan

FOLDER, DISK = "/srv/vm", "system.img"
BRIDGE = "br0"
CPUS, MEMORY = 2, 4096
DEFINITIONS = "etc/libvirt/lxc"


def disk_of(plan: NodePlan) -> str:
    """Where a machine's disk is on its hypervisor."""
    return f"{FOLDER}/{plan.minion_id}/{DISK}"


class Domain(Node):
    """`folder` holds the files that its first disk got over its layers, `host` the disk itself."""

    def __init__(self, plan: NodePlan, folder: Path, host: Node) -> None:
        super().__init__(plan, folder, host.cgroup)
        self.host = host

    @property
    def console(self) -> Path:
        return self.host.disk / f"var/log/libvirt/lxc/{self.plan.minion_id}.log"

    def _leader(self) -> int | None:
        """Its controller writes down its own number, as its hypervisor has it; the init is its child."""
        if not self.host.running:
            return None
        with contextlib.suppress(FileNotFoundError, ValueError):
            said = self.host.root / f"run/libvirt/lxc/{self.plan.minion_id}.pid"
            return _child(int(said.read_text(encoding="ascii")), cgroups.processes(self.host.cgroup))
        return None

    def make_disk(self, lower: str) -> None:
        """Before its hypervisor runs: the disk, and the definition with the order to start with libvirt."""
        place = disk_of(self.plan)
        make_disk(self.host.disk / place.lstrip("/"), f"{self.disk}:{lower}")
        machine = blueprint.Machine(self.plan.minion_id, "lxc", CPUS, MEMORY, place, "raw", (BRIDGE,))
        name = f"{self.plan.minion_id}.xml"
        folder = self.host.disk / DEFINITIONS
        (folder / "autostart").mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(blueprint.definition(machine), encoding="utf-8")
        link = folder / "autostart" / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"/{DEFINITIONS}/{name}")

    @property
    def starts_by_itself(self) -> bool:
        link = self.host.disk / DEFINITIONS / "autostart" / f"{self.plan.minion_id}.xml"
        return link.is_symlink()

    def end(self) -> None:
        """Ends with its hypervisor."""

    def wait_stopped(self, seconds: float = 0) -> None:
        """Ends with its hypervisor."""


def _child(controller: int, processes: set[int]) -> int | None:
    """The init of the container whose controller has this number in its hypervisor's namespace."""
    numbers = {pid: inner_pids(pid) for pid in processes}
    inits = [pid for pid, inner in numbers.items() if len(inner) == 3 and inner[-1] == 1]
    parents = [pid for pid, inner in numbers.items() if len(inner) == 2 and inner[-1] == controller]
    return next((pid for pid in inits if parents and parent(pid) == parents[0]), None)
