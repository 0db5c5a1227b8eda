"""Disks of real machines kept and put back, and everything that goes wrong on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.errors import StepError
from upgrader_node.vm import back, check, copying, finding, keep, power, proof

from tests.functional_vm.conftest import Minion
from tests.functional_vm.machines import NODE, QEMU, QEMU_DISK, QEMU_XML, Container, Guest, Machine, run, until


def up_and_off(here: finding.Host, machine: Machine) -> None:
    power.start(here, machine.name)
    machine.wait_up()
    power.stop(here, machine.name, 180, hard=False)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix not in (".xml", ".console")}


@contextmanager
def filesystem(kind: str, folder: Path, megabytes: int) -> Iterator[Path]:
    """A small file system of its own."""
    folder.mkdir()
    if kind == "tmpfs":
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "small", str(folder))
    else:
        image = folder.with_suffix(".fs")
        with image.open("wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        run(f"mkfs.{kind}", "-q", str(image))
        run("mount", "-o", "loop", str(image), str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))


def test_old_machine_comes_back_with_what_it_had(minion: Minion, machine: Machine) -> None:
    """The whole way through Salt's loader: the old disk has booted twice at its end, the new one stays beside it."""
    name = machine.name
    minion.call("upgrader_vm.start", name)
    machine.wait_up()
    found = minion.call("upgrader_disk.check", [name])
    assert found["findings"] == [], found
    assert minion.call("upgrader_vm.stop", name, timeout=180)["comment"] == f"{name} went off by itself"
    answer = minion.call("upgrader_disk.keep", name, run="r1")
    kept = Path(f"{machine.disk}.kept-r1")
    assert kept.exists() and not machine.disk.exists()
    assert minion.call("upgrader_disk.keep", name, run="r1")["changed"] is False
    receipt = minion.call("upgrader_disk.hash", receipt=answer["receipt"])["receipt"]
    assert receipt["disks"][0]["sha256"] == run("sha256sum", str(kept)).split()[0]
    machine.new_disk()
    began = time.monotonic()
    minion.call("upgrader_disk.verify", receipt=receipt)
    back = minion.call("upgrader_disk.restore", receipt=receipt, content=False)
    minion.call("upgrader_vm.start", name)
    seconds = time.monotonic() - began
    machine.wait_up()
    minion.call("upgrader_vm.stop", name, timeout=180)
    assert machine.boots() == 2 and not kept.exists()
    assert back["moved_aside"] == [f"{machine.disk}.replaced-r1"]
    assert minion.call("upgrader_disk.restore", receipt=receipt)["changed"] is False
    assert [one["path"] for one in minion.call("upgrader_disk.held", run="r1")["files"]] == back["moved_aside"]
    assert minion.call("upgrader_disk.discard", receipt=receipt)["files"] == back["moved_aside"]
    assert not Path(back["moved_aside"][0]).exists() and machine.disk.exists()
    print(f"{name}: verified, put back and started in {seconds:.1f} s")


def test_salt_says_a_refusal_as_a_sentence(minion: Minion, idle: Guest) -> None:
    with pytest.raises(CommandExecutionError, match=r"kvm01.lab.local has no domain ctl09: it has ctl02"):
        minion.call("upgrader_vm.stop", "ctl09")
    with pytest.raises(
        CommandExecutionError, match="no receipt of run r7 for ctl02: nothing of its disks was kept here"
    ):
        minion.call("upgrader_disk.receipt", idle.name, run="r7")
    minion.call("upgrader_disk.keep", idle.name, run="r8")
    assert minion.call("upgrader_disk.receipt", idle.name, run="r8")["state"] == "kept"


@pytest.mark.parametrize("mode", ["copy", "reflink"])
def test_copies_leave_the_disk_where_it_is(node: finding.Host, tmp_path: Path, images: Path, mode: str) -> None:
    with filesystem("xfs", tmp_path / "xfs", 320) as folder:
        machine = Guest("ctl02", folder, boots=False)
        run("qemu-io", "-f", "qcow2", "-c", "write -P 65 1M 8M", str(machine.disk))
        receipt = keep.keep(node, machine.name, "r1", mode)["receipt"]
        assert names(folder) == {"ctl02.qcow2", "ctl02.qcow2.kept-r1"}
        proof.hash_kept(node.receipts, receipt, NODE)
        run("qemu-io", "-f", "qcow2", "-c", "write -P 66 1M 1M", str(machine.disk))
        back.restore(node, receipt)
        assert machine.holds(machine.disk, "A", 1)
        assert names(folder) == {"ctl02.qcow2", "ctl02.qcow2.replaced-r1"}
        run("virsh", "-q", "-c", QEMU, "undefine", machine.name)


def test_filesystem_without_reflinks_is_refused_at_the_gate(node: finding.Host, tmp_path: Path, images: Path) -> None:
    with filesystem("ext4", tmp_path / "ext4", 128) as folder:
        machine = Guest("ctl02", folder, boots=False)
        (found,) = check.check(node, [machine.name], "reflink")["findings"]
        assert found["what"] == f"kvm01.lab.local cannot share blocks in {folder}: its filesystem has no reflinks"
        with pytest.raises(StepError, match="cannot share blocks in"):
            keep.keep(node, machine.name, "r1", "reflink")
        assert names(folder) == {"ctl02.qcow2", "lost+found"}
        run("virsh", "-q", "-c", QEMU, "undefine", machine.name)


def test_full_disk_is_refused_at_the_gate_and_in_the_middle_leaves_nothing(
    node: finding.Host, idle: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("qemu-io", "-f", "qcow2", "-c", "write -P 65 1M 40M", str(idle.disk))
    with filesystem("tmpfs", tmp_path / "small", 20) as folder:
        (found,) = check.check(node, [idle.name], "copy", str(folder))["findings"]
        assert found["what"].startswith("kvm01.lab.local has 20 MB free in") and "and needs 10" in found["what"]
        monkeypatch.setattr(check, "rooms", lambda *words: [])
        with pytest.raises(
            StepError, match=r"cannot be copied to .*no room, it takes 42 MB and 20 MB are free there; nothing is left"
        ):
            keep.keep(node, idle.name, "r1", "copy", str(folder))
        assert names(folder) == set()
    power.start(node, idle.name)
    assert idle.state == "running"


def corrupt(image: Path) -> None:
    """Its table of tables points outside of the file."""
    with image.open("r+b") as file:
        file.seek(40)
        table = int.from_bytes(file.read(8), "big")
        file.seek(table)
        file.write((1 << 62 | 1 << 40).to_bytes(8, "big"))


def test_corrupt_image_is_refused_before_it_is_kept_and_before_it_goes_back(
    node: finding.Host, idle: Guest, images: Path
) -> None:
    receipt = keep.keep(node, idle.name, "r1", "rename")["receipt"]
    idle.new_disk()
    kept = Path(receipt["disks"][0]["kept"])
    times = kept.stat()
    corrupt(kept)
    os.utime(kept, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(StepError, match=r"kept-r1 (is corrupt|cannot be checked) \(qemu-img check ended with \d+: "):
        back.restore(node, receipt)
    assert names(images) == {"ctl02.qcow2", "ctl02.qcow2.kept-r1"}
    corrupt(idle.disk)
    with pytest.raises(StepError, match=r"ctl02.qcow2 (is corrupt|cannot be checked) \(qemu-img check"):
        keep.keep(node, idle.name, "r2", "rename")
    idle.disk.write_bytes(b"no image at all")
    with pytest.raises(StepError, match=r"has disk vda that cannot be kept: .*ctl02.qcow2 is no whole qcow2 image"):
        keep.keep(node, idle.name, "r2", "rename")
    assert idle.disk.exists()


def test_kept_disk_that_somebody_started_from_does_not_go_back(node: finding.Host, idle: Guest) -> None:
    receipt = keep.keep(node, idle.name, "r1", "rename")["receipt"]
    run("qemu-io", "-f", "qcow2", "-c", "write -P 66 1M 64k", receipt["disks"][0]["kept"])
    idle.new_disk()
    with pytest.raises(
        StepError, match=r"kept-r1 (has \d+ bytes, its receipt says \d+|was written to after it was kept)"
    ):
        back.restore(node, receipt)
    assert idle.disk.exists()


def test_images_on_images_move_and_come_back(node: finding.Host, idle: Guest, images: Path) -> None:
    base = images / "base.qcow2"
    idle.disk.rename(base)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", str(idle.disk))
    answer = keep.keep(node, idle.name, "r1", "rename")
    assert "stands on" in answer["warnings"][0] and "base.qcow2" in answer["warnings"][0]
    idle.new_disk()
    back.restore(node, answer["receipt"])
    power.start(node, idle.name)
    assert idle.state == "running"


def test_what_is_not_handled_is_refused_by_name_at_the_gate(node: finding.Host, idle: Guest, images: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(idle.disk), str(images / "on-top.qcow2"))
    disks = [
        QEMU_DISK.format(form="qcow2", path=images / "on-top.qcow2", target="vda"),
        "<disk type='block' device='disk'><source dev='/dev/vg/ctl03'/><target dev='vdb' bus='virtio'/></disk>",
        "<disk type='network' device='disk'><source protocol='rbd' name='vms/ctl03'><host name='ceph'/></source>"
        "<target dev='vdc' bus='virtio'/></disk>",
        "<disk type='file' device='cdrom'><source file='/nowhere.iso'/><target dev='sda' bus='sata'/><readonly/></disk>",
    ]
    xml = QEMU_XML.format(name="ctl03", kernel="", console=images / "ctl03.console", disks="".join(disks))
    (images / "ctl03.xml").write_text(xml)
    run("virsh", "-q", "-c", QEMU, "define", str(images / "ctl03.xml"))
    idle.virsh("snapshot-create-as", "before")
    said = [one["what"] for one in check.check(node, [idle.name, "ctl03"], "rename")["findings"]]
    assert said == [
        "ctl02 on kvm01.lab.local has the snapshots before, which know the disk by its name",
        f"ctl02 on kvm01.lab.local has disk vda in {idle.disk}, which ctl03 needs too",
        f"ctl03 on kvm01.lab.local has disk vda that stands on {idle.disk}, which is not copied",
        "ctl03 on kvm01.lab.local has disk vdb, which is the block device /dev/vg/ctl03",
        "ctl03 on kvm01.lab.local has disk vdc, which is the network volume rbd:vms/ctl03",
    ]
    for name in (idle.name, "ctl03"):
        with pytest.raises(StepError, match=f"{name} on kvm01.lab.local has"):
            keep.keep(node, name, "r1", "rename")
    assert idle.disk.exists()


def test_running_machine_is_copied_and_what_it_writes_meanwhile_is_its_own(
    here: finding.Host, idle: Guest, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: str, target: str) -> str:
        idle.write("B", 5)
        return original(source, target)

    original = copying.copy
    monkeypatch.setattr(copying, "copy", copy)
    power.start(here, idle.name)
    idle.write("A", 3)
    receipt = keep.keep(here, idle.name, "r1", "live")["receipt"]
    kept = Path(receipt["disks"][0]["kept"])
    assert names(images) == {"ctl02.qcow2", "ctl02.qcow2.kept-r1"}
    assert idle.holds(kept, "A", 3) and not idle.holds(kept, "B", 5)
    assert idle.holds(idle.disk, "A", 3) and idle.holds(idle.disk, "B", 5)
    assert str(idle.disk) in idle.virsh("domblklist")
    power.stop(here, idle.name, 0, hard=True)
    proof.verify(here.receipts, receipt, NODE)
    back.restore(here, receipt)
    assert idle.holds(idle.disk, "A", 3) and not idle.holds(idle.disk, "B", 5)


class Call:
    """A backup in a process of its own, that can be killed as a minion's job is."""

    def __init__(self, here: finding.Host, name: str, mode: str) -> None:
        code = (
            "import sys, time; sys.path.insert(0, '/src/formulas/_utils')\n"
            "from upgrader_node.vm import copying, finding, keep\n"
            "host = finding.host(sys.argv[1])._replace(receipts=sys.argv[2])\n"
            "plain = copying._write\n"
            "copying._write = lambda file, block: (time.sleep(0.05), plain(file, block))\n"
            "keep.keep(host, sys.argv[3], 'r1', sys.argv[4])\n"
        )
        self.process = subprocess.Popen([sys.executable, "-c", code, here.node, here.receipts, name, mode])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def test_live_backup_that_was_killed_in_the_middle_is_ended_by_the_next_call(
    node: finding.Host, idle: Guest, images: Path
) -> None:
    run("qemu-io", "-f", "qcow2", "-c", "write -P 65 1M 60M", str(idle.disk))
    power.start(node, idle.name)
    call = Call(node, idle.name, "live")
    until(lambda: any(path.name.endswith(".partial") for path in images.iterdir()), "the copy", 120)
    call.kill()
    assert f"{idle.disk}.live-r1" in idle.virsh("domblklist")
    idle.write("C", 20)
    (found,) = check.check(node, [idle.name], "rename")["findings"]
    assert "which a live backup that was cut left" in found["what"]
    receipt = keep.keep(node, idle.name, "r1", "live")["receipt"]
    assert names(images) == {"ctl02.qcow2", "ctl02.qcow2.kept-r1"}
    assert idle.holds(Path(receipt["disks"][0]["kept"]), "A", 20)
    assert idle.holds(idle.disk, "C", 20) and idle.holds(idle.disk, "A", 30)


@pytest.mark.soak
def test_libvirtd_that_is_killed_during_a_live_backup_loses_nothing(
    node: finding.Host, idle: Guest, images: Path
) -> None:
    run("qemu-io", "-f", "qcow2", "-c", "write -P 65 1M 60M", str(idle.disk))
    power.start(node, idle.name)
    call = Call(node, idle.name, "live")
    until(lambda: any(path.name.endswith(".partial") for path in images.iterdir()), "the copy", 120)
    run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "libvirtd.service")
    call.process.wait()
    run("systemctl", "start", "libvirtd.service")
    idle.write("C", 20)
    receipt = keep.keep(node, idle.name, "r1", "live")["receipt"]
    assert idle.holds(Path(receipt["disks"][0]["kept"]), "A", 20) and idle.holds(idle.disk, "C", 20)


@pytest.mark.soak
def test_copy_that_was_killed_is_made_anew(node: finding.Host, container: Container, images: Path) -> None:
    up_and_off(node, container)
    call = Call(node, container.name, "copy")
    until(lambda: any(path.name.endswith(".partial") for path in images.iterdir()), "the copy", 120)
    call.kill()
    receipt: dict[str, Any] = keep.keep(node, container.name, "r1", "copy")["receipt"]
    assert receipt["disks"][0]["sha256"] == copying.sha256(str(container.disk))
    assert names(images) == {"prx01.img", "prx01.img.kept-r1"}
