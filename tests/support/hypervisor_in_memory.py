"""A hypervisor without libvirt, whose world is one file: a process that dies in the middle leaves it as libvirt would."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from upgrader_node.vm.hypervisor import OFF, RUNNING, Hypervisor, Job, LibvirtFailed, Standing

QEMU = """<domain type='kvm'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <devices>
{disks}  </devices>
</domain>"""
DISK = """    <disk type='file' device='disk'>
      <driver name='qemu' type='{form}'/>
      <source file='{path}'/>
      <target dev='{target}' bus='virtio'/>
    </disk>
"""
UUID = "0b2d4a3c-0000-4000-8000-000000000001"


def definition(name: str, disks: dict[str, Path], uuid: str = UUID, form: str = "raw") -> str:
    """XML of a domain with these disks, by target."""
    parts = [DISK.format(target=target, path=path, form=form) for target, path in disks.items()]
    return QEMU.format(name=name, uuid=uuid, disks="".join(parts))


class HypervisorInMemory(Hypervisor):
    """Domains by name; a running one writes to its disks' files when `write` says so."""

    def __init__(self, file: Path, uri: str = "qemu:///system", deaf: bool = False) -> None:
        self.uri = uri
        self.file = file
        self.deaf = deaf
        self.asked: list[str] = []
        if not file.exists():
            self.keep({})

    @property
    def world(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self.file.read_text())
        return found

    def keep(self, world: dict[str, dict[str, Any]]) -> None:
        self.file.write_text(json.dumps(world))

    def change(self, name: str, **facts: Any) -> None:
        world = self.world
        world[name].update(facts)
        self.keep(world)

    def _of(self, name: str) -> dict[str, Any]:
        if name not in self.world:
            raise LibvirtFailed(f"no domain {name}")
        return self.world[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self.world)

    def xml(self, name: str, running: bool = False, secrets: bool = False) -> str:
        held = self._of(name)
        return held["secret"] if secrets and held.get("secret") else held["xml"]

    def standing(self, name: str) -> Standing:
        held = self._of(name)
        return Standing(held["state"], held["persistent"], held["autostart"], held["saved"])

    def number(self, name: str) -> int:
        raise LibvirtFailed(f"{name} has no number")

    def snapshots(self, name: str) -> tuple[str, ...]:
        return tuple(self._of(name)["snapshots"])

    def start(self, name: str) -> None:
        self.change(name, state=RUNNING)

    def shutdown(self, name: str) -> None:
        self.asked.append(name)
        if not self.deaf:
            self.change(name, state=OFF)

    def destroy(self, name: str) -> None:
        self.change(name, state=OFF)

    def define(self, xml: str) -> None:
        found = re.search(r"<name>(.*)</name>", xml)
        assert found
        world = self.world
        fresh = {"state": OFF, "persistent": True, "autostart": False, "saved": False, "snapshots": []}
        held = world.get(found[1], fresh)
        world[found[1]] = {**held, "xml": xml}
        self.keep(world)

    def undefine(self, name: str) -> None:
        world = self.world
        del world[name]
        self.keep(world)

    def set_autostart(self, name: str, wanted: bool) -> None:
        self.change(name, autostart=wanted)

    def snapshot_disks(self, name: str, overlays: dict[str, str]) -> None:  # type: ignore[override]
        xml = self._of(name)["xml"]
        for path in overlays.values():
            if Path(path).exists():
                raise LibvirtFailed(f"{path} exists")
        for path in overlays.values():
            Path(path).write_bytes(b"")
            disk = path.rpartition(".live-")[0]
            xml = xml.replace(f"'{disk}'", f"'{path}'")
        self.change(name, xml=xml)

    def begin_commit(self, name: str, target: str) -> None:
        if target in self._of(name).get("jobs", []):
            raise LibvirtFailed("there is a block job already")
        self.change(name, jobs=[*self._of(name).get("jobs", []), target])

    def job(self, name: str, target: str) -> Job | None:
        return Job(1, 1) if target in self._of(name).get("jobs", []) else None

    def pivot(self, name: str, target: str) -> None:
        """The overlay's content goes to the end of the disk, then the domain uses that again."""
        from upgrader_node.vm.definition import read

        held = self._of(name)
        overlay = next(disk.source for disk in read(held["xml"]).disks if disk.target == target)
        disk = overlay.rpartition(".live-")[0]
        with open(disk, "ab") as file:
            file.write(Path(overlay).read_bytes())
        xml = held["xml"].replace(f"'{overlay}'", f"'{disk}'")
        self.change(name, xml=xml, jobs=[one for one in held["jobs"] if one != target])
