"""Real machines for the tests, made and looked at with libvirt's and qemu's own commands, never with the code under test."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

NODE = "kvm01.lab.local"
QEMU, LXC = URIS = ("qemu:///system", "lxc:///system")
GUESTS = Path("/opt/guests")
UP_SECONDS = 300

QEMU_XML = """<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
  <os><type arch='x86_64'>hvm</type>{kernel}</os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {disks}
    <serial type='file'><source path='{console}'/></serial>
  </devices>
</domain>"""
KERNEL = """<kernel>/opt/guests/vmlinuz</kernel><initrd>/opt/guests/initramfs.gz</initrd><cmdline>console=ttyS0 quiet{deaf}</cmdline>"""
QEMU_DISK = """<disk type='file' device='disk'><driver name='qemu' type='{form}'/><source file='{path}'/>
    <target dev='{target}' bus='virtio'/></disk>"""
LXC_XML = """<domain type='lxc'>
  <name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>exe</type><init>/sbin/init</init></os>
  <devices>
    <emulator>/usr/lib/libvirt/libvirt_lxc</emulator>
    <filesystem type='file' accessmode='passthrough'>
      <driver type='loop' format='raw'/><source file='{path}'/><target dir='/'/>
    </filesystem>
    <console type='pty'/>
  </devices>
</domain>"""


def run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=120)
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stderr or done.stdout}"
    return done.stdout


def until(seen: Callable[[], object], what: str, seconds: float = UP_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.05)


class Machine:
    """A domain with one disk, defined and off."""

    uri = QEMU

    def __init__(self, name: str, disk: Path) -> None:
        self.name = name
        self.disk = disk

    def virsh(self, verb: str, *words: str, check: bool = True) -> str:
        return run("virsh", "-q", "-c", self.uri, verb, self.name, *words, check=check)

    def define(self, xml: str) -> None:
        path = self.disk.parent / f"{self.name}.xml"
        path.write_text(xml)
        run("virsh", "-q", "-c", self.uri, "define", str(path))

    @property
    def state(self) -> str:
        return self.virsh("domstate").strip()

    def boots(self) -> int:
        raise NotImplementedError

    def wait_up(self) -> None:
        raise NotImplementedError

    def new_disk(self) -> None:
        """What a new machine has in the place of the old disk: it never booted."""
        raise NotImplementedError


class Guest(Machine):
    """Under qemu, with a qcow2 disk."""

    def __init__(self, name: str, folder: Path, boots: bool = True, deaf: bool = False) -> None:
        super().__init__(name, folder / f"{name}.qcow2")
        self.console = folder / f"{name}.console"
        kernel = KERNEL.format(deaf=" deaf" if deaf else "") if boots else ""
        self.new_disk()
        disks = QEMU_DISK.format(form="qcow2", path=self.disk, target="vda")
        self.define(QEMU_XML.format(name=name, kernel=kernel, console=self.console, disks=disks))

    def new_disk(self) -> None:
        run("qemu-img", "create", "-q", "-f", "qcow2", str(self.disk), "64M")

    def boots(self) -> int:
        raw = self.disk.with_suffix(".first-sector")
        run("qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=1", f"if={self.disk}", f"of={raw}")
        found = re.match(rb"(\d+)", raw.read_bytes())
        raw.unlink()
        return int(found[1]) if found else 0

    def wait_up(self) -> None:
        until(lambda: "guest is up" in self.said(), f"the guest of {self.name}")

    def said(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def write(self, letter: str, megabyte: int) -> None:
        """64 KiB of a letter into the running machine's disk, through whatever it writes to now."""
        device = "/machine/peripheral/virtio-disk0/virtio-backend"
        command = f'qemu-io -d {device} "write -P {ord(letter)} {megabyte}M 64k"'
        said = self.virsh("qemu-monitor-command", "--hmp", command).strip()
        assert not said, said

    def holds(self, image: Path, letter: str, megabyte: int) -> bool:
        command = f"read -P {ord(letter)} {megabyte}M 64k"
        said = run("qemu-io", "-r", "-U", "-f", "qcow2", "-c", command, str(image), check=False)
        return "verification failed" not in said and "read 65536" in said


class Container(Machine):
    """A container with its root in a file."""

    uri = LXC

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder / f"{name}.img")
        self.new_disk()
        self.define(LXC_XML.format(name=name, path=self.disk))

    def new_disk(self, deaf: bool = False) -> None:
        self.disk.unlink(missing_ok=True)
        with self.disk.open("wb") as file:
            file.truncate(16 * 1024 * 1024)
        run("mkfs.ext4", "-q", "-F", "-d", str(GUESTS / "tree"), str(self.disk))
        if deaf:
            run("debugfs", "-w", "-R", "write /etc/hostname deaf", str(self.disk))

    def boots(self) -> int:
        said = run("debugfs", "-R", "cat /boots", str(self.disk)).strip()
        return int(said) if said.isdigit() else 0

    def wait_up(self) -> None:
        """Its file lies on a file system that is in use here: the init's own view has it at once."""
        controller = self.virsh("domid").strip()
        children = Path(f"/proc/{controller}/task/{controller}/children")

        def counted() -> bool:
            pids = children.read_text().split()
            return bool(pids) and Path(f"/proc/{pids[0]}/root/boots").exists()

        until(counted, f"the init of {self.name}", 60)
