"""A foundation node in a folder: two raw disks of domain ctl01, a hypervisor in a file, a folder of receipts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.vm import back, finding, keep, power

from tests.support.hypervisor_in_memory import HypervisorInMemory, definition

CONTENT = {"vda": b"system of mitaka\n" * 50, "vdb": b"logs of mitaka\n" * 3}
CTL = "ctl01"


@dataclass
class World:
    """The node, and what a test asks of it."""

    folder: Path
    hypervisor: HypervisorInMemory
    domain: str = CTL
    disks: dict[str, Path] = field(default_factory=dict)

    @property
    def host(self) -> finding.Host:
        return finding.Host("kvm01", [self.hypervisor], str(self.folder / "receipts"))

    def keep(self, run: str = "r1", mode: str = "rename", folder: str = "") -> dict[str, Any]:
        return keep.keep(self.host, CTL, run, mode, folder, "2026-11-29T18:00:00Z")

    def restore(self, receipt: dict[str, Any], content: bool = True) -> dict[str, Any]:
        return back.restore(self.host, receipt, content)

    def files(self) -> dict[str, bytes]:
        """Everything that lies in the folder of disks."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "images").iterdir())}

    def new_machine(self) -> None:
        """What the new release has in the place of the old disks: other files, another definition."""
        for target, path in self.disks.items():
            path.write_bytes(b"ocata on " + target.encode())
        self.hypervisor.define(definition(CTL, self.disks, form="raw").replace("<devices>", "<devices><!-- new -->"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(power, "EVERY", 0.001)
    images = tmp_path / "images"
    images.mkdir()
    made = World(tmp_path, HypervisorInMemory(tmp_path / "libvirt.json"))
    for target, content in CONTENT.items():
        made.disks[target] = images / f"{target}.img"
        made.disks[target].write_bytes(content)
    made.hypervisor.define(definition(CTL, made.disks))
    return made


@pytest.fixture
def put_back(world: World) -> Callable[[], None]:
    """The world as it was when this was asked for; inodes are new, as nothing that was written down is there any more."""
    kept = world.folder.with_name(world.folder.name + "-kept")
    parts = ("images", "receipts", "libvirt.json")

    def save() -> None:
        shutil.copytree(world.folder, kept)

    def put() -> None:
        for part in parts:
            path = world.folder / part
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
        shutil.copytree(kept, world.folder, dirs_exist_ok=True)

    save()
    return put
