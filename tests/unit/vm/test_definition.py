"""Domains as libvirt describes them (formatdomain, 1.3 to 9.0): which disks they have, and which are refused by name."""

from __future__ import annotations

import pytest
from upgrader_node.errors import StepError
from upgrader_node.vm import definition

CONTROLLER = """
<domain type='kvm' id='4'>
  <name>ctl01.lab.local</name>
  <uuid>6dbd6a6c-5d4b-4f4a-9b0e-2f0f6f3a2c11</uuid>
  <metadata><x:y xmlns:x='urn:salt'>made by salt.control</x:y></metadata>
  <memory unit='KiB'>67108864</memory>
  <vcpu placement='static'>32</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-xenial'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <devices>
    <emulator>/usr/bin/kvm-spice</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native'/>
      <source file='/var/lib/libvirt/images/ctl01.lab.local/system.qcow2'/>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
    </disk>
    <disk type='file' device='disk'>
      <source file='/var/lib/libvirt/images/ctl01.lab.local/logs.img'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/><source file='/srv/config.iso'/><target dev='hda' bus='ide'/><readonly/>
    </disk>
    <disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>
    <filesystem type='mount' accessmode='passthrough'><source dir='/srv/share'/><target dir='share'/></filesystem>
    <graphics type='vnc' port='-1' autoport='yes' listen='0.0.0.0'/>
  </devices>
</domain>
"""
CONTAINER = """
<domain type='lxc'>
  <name>prx01</name><uuid>1</uuid>
  <os><type arch='x86_64'>exe</type><init>/sbin/init</init></os>
  <devices>
    <emulator>/usr/lib/libvirt/libvirt_lxc</emulator>
    <filesystem type='file' accessmode='passthrough'>
      <driver type='loop' format='raw'/><source file='/srv/prx01/system.img'/><target dir='/'/>
    </filesystem>
    <filesystem type='mount' accessmode='passthrough'><source dir='/srv/share'/><target dir='/srv'/></filesystem>
    <filesystem type='ram'><source usage='65536' units='KiB'/><target dir='/tmp'/></filesystem>
    <console type='pty'/>
  </devices>
</domain>
"""


def with_disk(xml: str, more: str = "", kind: str = "kvm") -> definition.Definition:
    return definition.read(f"<domain type='{kind}'><name>ctl01</name>{more}<devices>{xml}</devices></domain>")


def test_controller_has_two_disks_and_its_drives_are_ignored() -> None:
    found = definition.read(CONTROLLER)
    assert (found.name, found.kind, found.uuid) == ("ctl01.lab.local", "kvm", "6dbd6a6c-5d4b-4f4a-9b0e-2f0f6f3a2c11")
    folder = "/var/lib/libvirt/images/ctl01.lab.local"
    assert [(disk.target, disk.source, disk.format) for disk in found.files] == [
        ("vda", f"{folder}/system.qcow2", "qcow2"),
        ("vdb", f"{folder}/logs.img", "raw"),
    ]
    assert found.ignored == ("hda", "fda")
    assert found.refusals == ()


def test_container_has_its_root_in_a_file_and_folders_of_the_host_are_no_part_of_it() -> None:
    found = definition.read(CONTAINER)
    assert [tuple(disk)[:4] for disk in found.files] == [("/", "file", "/srv/prx01/system.img", "raw")]
    assert found.ignored == ("/srv", "/tmp")


@pytest.mark.parametrize(
    ("xml", "what"),
    [
        ("<disk type='block'><source dev='/dev/vg/ctl01'/>{}</disk>", "is the block device /dev/vg/ctl01"),
        (
            "<disk type='network'><source protocol='rbd' name='vms/ctl01'><host name='ceph'/></source>{}</disk>",
            "is the network volume rbd:vms/ctl01",
        ),
        ("<disk type='volume'><source pool='default' volume='ctl01'/>{}</disk>", "is volume ctl01 of a storage pool"),
        ("<disk type='dir'><source dir='/srv'/>{}</disk>", "is the folder /srv"),
        ("<disk type='nvme'><source type='pci'/>{}</disk>", "is of the kind nvme, which is not known here"),
        ("<disk type='file'>{}</disk>", "names no file"),
        ("<disk type='file'><source file='/a'/><mirror type='file'/>{}</disk>", "is being copied by a block job"),
        ("<disk type='file'><source file='/a'/><shareable/>{}</disk>", "is shared with other domains"),
        ("<disk type='file'><source file='/a'/><transient/>{}</disk>", "forgets what is written (<transient/>)"),
        ("<disk type='file'><source file='/a'/><encryption format='luks'/>{}</disk>", "is encrypted"),
        ("<disk type='file'><source file='/a'><encryption format='luks'/></source>{}</disk>", "is encrypted"),
    ],
)
def test_disk_that_is_not_kept_says_what_it_is_and_what_to_do(xml: str, what: str) -> None:
    found = with_disk(xml.format("<target dev='vda'/>"))
    (disk,) = found.disks
    assert disk.target == "vda" and disk.refusal is not None
    assert disk.refusal[0] == what and len(disk.refusal[1]) > 20
    assert found.files == ()


@pytest.mark.parametrize(
    ("xml", "what"),
    [
        (
            "<filesystem type='mount'><source dir='/srv/r'/><target dir='/'/></filesystem>",
            "is the folder /srv/r and no disk",
        ),
        (
            "<filesystem type='block'><source dev='/dev/sdb'/><target dir='/'/></filesystem>",
            "is the block device /dev/sdb",
        ),
    ],
)
def test_container_whose_root_is_no_file_is_refused(xml: str, what: str) -> None:
    (disk,) = with_disk(xml, kind="lxc").disks
    assert disk.refusal is not None and disk.refusal[0] == what


def test_state_outside_of_the_disks_is_refused() -> None:
    said = with_disk(
        "<tpm model='tpm-tis'><backend type='emulator'/></tpm>", "<os><nvram>/var/lib/libvirt/nvram/a</nvram></os>"
    ).refusals
    assert [what for what, _ in said] == [
        "keeps state of its firmware in a file (<nvram>)",
        "has an emulated TPM, whose state is not kept",
    ]


def test_what_is_no_domain_is_refused() -> None:
    with pytest.raises(StepError, match="described a <network> where a domain"):
        definition.read("<network><name>default</name></network>")
    with pytest.raises(StepError, match="cannot be read: not well-formed"):
        definition.read("<domain<")
