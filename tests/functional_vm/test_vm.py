"""libvirt reached by its library and by its command keeps the same promises; machines go off and on as they are told."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.vm import definition, finding, power
from upgrader_node.vm.hypervisor import LibvirtFailed, Standing

from tests.functional_vm.machines import LXC, QEMU, Container, Guest, Machine, run, until


@pytest.fixture(params=["idle", "container"])
def quick(request: pytest.FixtureRequest) -> Machine:
    """A machine of each driver that is up at once."""
    made: Machine = request.getfixturevalue(request.param)
    return made


def test_what_libvirt_knows_of_a_domain_is_the_same_by_library_and_by_command(
    here: finding.Host, quick: Machine
) -> None:
    libvirt = finding.find(here, quick.name)
    assert libvirt.uri == quick.uri and libvirt.names() == (quick.name,)
    assert libvirt.standing(quick.name) == Standing("shut off", True, False, False)
    assert libvirt.snapshots(quick.name) == ()
    found = definition.read(libvirt.xml(quick.name))
    assert (found.name, found.uuid) == (quick.name, quick.virsh("domuuid").strip())
    assert [disk.source for disk in found.files] == [str(quick.disk)]
    with pytest.raises(LibvirtFailed, match=f"{quick.name} does not run"):
        libvirt.number(quick.name)
    libvirt.set_autostart(quick.name, True)
    libvirt.start(quick.name)
    assert libvirt.standing(quick.name) == Standing("running", True, True, False)
    assert str(libvirt.number(quick.name)) == quick.virsh("domid").strip()
    assert str(quick.disk) in libvirt.xml(quick.name, running=True)
    if quick.uri == QEMU:
        libvirt.shutdown(quick.name)
        assert libvirt.standing(quick.name).state == "running", "its firmware does not hear"
    libvirt.destroy(quick.name)
    libvirt.set_autostart(quick.name, False)
    assert libvirt.standing(quick.name) == Standing("shut off", True, False, False)
    whole = libvirt.xml(quick.name, secrets=True)
    libvirt.undefine(quick.name)
    assert libvirt.names() == ()
    libvirt.define(whole)
    assert libvirt.xml(quick.name) == whole == libvirt.xml(quick.name, secrets=True)
    assert quick.disk.exists()


def test_what_libvirt_refuses_is_one_error_by_library_and_by_command(here: finding.Host, idle: Guest) -> None:
    libvirt = finding.find(here, idle.name)
    for doing in (libvirt.standing, libvirt.xml, libvirt.start, libvirt.snapshots, libvirt.shutdown, libvirt.undefine):
        with pytest.raises(LibvirtFailed, match=r"[Dd]omain"):
            doing("nobody")
    libvirt.start(idle.name)
    with pytest.raises(LibvirtFailed, match=r"already (running|active)"):
        libvirt.start(idle.name)
    with pytest.raises(LibvirtFailed, match=r"."):
        libvirt.define("<domain><name>x</name></domain>")
    with pytest.raises(StepError, match=f"kvm01.lab.local has no domain ctl09: it has {idle.name}; check the name"):
        finding.find(here, "ctl09")


def test_passwords_are_shown_only_when_asked_for_and_survive_a_definition(here: finding.Host, idle: Guest) -> None:
    libvirt = finding.find(here, idle.name)
    xml = libvirt.xml(idle.name).replace("</devices>", "<graphics type='vnc' passwd='s3cret'/></devices>")
    libvirt.define(xml)
    assert "s3cret" not in libvirt.xml(idle.name)
    assert "s3cret" in libvirt.xml(idle.name, secrets=True)
    libvirt.define(libvirt.xml(idle.name, secrets=True))
    assert "s3cret" in libvirt.xml(idle.name, secrets=True)


def test_block_commit_is_the_same_by_library_and_by_command(here: finding.Host, idle: Guest) -> None:
    libvirt = finding.find(here, idle.name)
    libvirt.start(idle.name)
    overlay = Path(f"{idle.disk}.live-r1")
    libvirt.snapshot_disks(idle.name, {"vda": str(overlay)})
    assert definition.read(libvirt.xml(idle.name, running=True)).disks[0].source == str(overlay)
    idle.write("B", 3)
    assert not idle.holds(idle.disk, "B", 3)
    assert libvirt.job(idle.name, "vda") is None
    libvirt.begin_commit(idle.name, "vda")

    def ready() -> bool:
        job = libvirt.job(idle.name, "vda")
        return job is not None and job.ready

    until(ready, "the commit ready", 30)
    with pytest.raises(LibvirtFailed, match=r"."):
        libvirt.begin_commit(idle.name, "vda")
    libvirt.pivot(idle.name, "vda")
    assert definition.read(libvirt.xml(idle.name)).disks[0].source == str(idle.disk)
    assert libvirt.job(idle.name, "vda") is None
    assert idle.holds(idle.disk, "B", 3)


def test_saved_memory_and_snapshots_are_seen_by_library_and_by_command(here: finding.Host, idle: Guest) -> None:
    libvirt = finding.find(here, idle.name)
    idle.virsh("snapshot-create-as", "before")
    assert libvirt.snapshots(idle.name) == ("before",)
    idle.virsh("start")
    idle.virsh("managedsave")
    assert libvirt.standing(idle.name).saved


@pytest.mark.parametrize("machine", [pytest.param("guest", marks=pytest.mark.soak), "container"], indirect=True)
def test_guest_goes_off_when_it_is_asked(node: finding.Host, machine: Machine) -> None:
    assert power.start(node, machine.name)["changed"]
    machine.wait_up()
    answer = power.stop(node, machine.name, 180, hard=True)
    assert answer["comment"] == f"{machine.name} went off by itself" and not answer["hard"]
    assert machine.state == "shut off"
    assert machine.boots() == 1
    assert not power.stop(node, machine.name, 180, hard=False)["changed"]


def test_container_goes_off_after_every_start(node: finding.Host, container: Container) -> None:
    """libvirt 9.0 itself asks the init of the first start, whatever runs."""
    for boot in (1, 2, 3):
        power.start(node, container.name)
        container.wait_up()
        assert power.stop(node, container.name, 60, hard=False)["comment"] == "prx01 went off by itself"
        assert container.boots() == boot


def test_deaf_machine_runs_on_unless_force_is_allowed(node: finding.Host, idle: Guest, container: Container) -> None:
    container.new_disk(deaf=True)
    for name in (idle.name, container.name):
        power.start(node, name)
    container.wait_up()
    for one in (idle, container):
        with pytest.raises(
            StepError, match=r"did not go off within 1 s of being asked and is running: shut it down from"
        ):
            power.stop(node, one.name, 1, hard=False)
        assert one.state == "running"
        assert power.stop(node, one.name, 1, hard=True)["hard"]
        assert one.state == "shut off"


def test_libvirtd_that_is_down_is_said_and_one_that_came_back_is_used(
    here: finding.Host, idle: Guest, container: Container
) -> None:
    finding.find(here, idle.name)
    power.start(here, idle.name)
    run("systemctl", "stop", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "libvirtd.service")
    with pytest.raises(StepError, match=r"libvirt on kvm01.lab.local does not answer: .*start libvirtd, then run this"):
        power.stop(here, idle.name, 1, hard=True)
    run("systemctl", "start", "libvirtd.service")
    assert power.state(here, idle.name)["state"] == "running"
    assert power.stop(here, idle.name, 1, hard=True)["changed"]


def test_driver_that_is_not_there_is_passed_over(node: finding.Host, idle: Guest) -> None:
    by_virsh = finding.host("kvm01", None, ("lxd:///system", QEMU, LXC))
    assert finding.find(by_virsh, idle.name).uri == QEMU
    with pytest.raises(StepError, match=r"no answer of lxd:///system \(virsh list ended with exit code 1: "):
        finding.find(by_virsh, "ctl09")


def test_container_whose_end_its_controller_missed_is_off_without_force(
    node: finding.Host, container: Container
) -> None:
    """The controller, stopped while its init ends, stands for one that did not listen yet."""
    power.start(node, container.name)
    container.wait_up()
    controller = int(container.virsh("domid").strip())
    (init,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(controller, signal.SIGSTOP)
    os.kill(int(init), signal.SIGTERM)
    until(lambda: " Z " in Path(f"/proc/{init}/stat").read_text(), "the end of the init", 60)
    assert container.state == "running"
    answer = power.stop(node, container.name, 60, hard=False)
    assert answer["comment"] == f"{container.name} went off by itself" and not answer["hard"]
    assert container.state == "shut off"
