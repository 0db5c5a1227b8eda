"""The definition of a new machine: read back, it is what was wanted."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from upgrader_node.errors import StepError
from upgrader_node.machine import blueprint
from upgrader_node.vm import definition

WANTED = blueprint.Machine("upg01", "kvm", 32, 65536, "/images/upg01/a&b.qcow2", "qcow2", ("br-mgm", "br-ctl"))


def test_machine_has_the_sizes_the_disk_and_the_wires_that_were_asked_for() -> None:
    xml = blueprint.definition(WANTED)
    found, root = definition.read(xml), ElementTree.fromstring(xml)
    assert (found.name, found.kind) == ("upg01", "kvm")
    assert [tuple(disk)[:4] for disk in found.files] == [("vda", "file", "/images/upg01/a&b.qcow2", "qcow2")]
    assert (root.findtext("vcpu"), root.findtext("memory")) == ("32", "65536")
    assert [one.get("bridge") for one in root.findall("devices/interface/source")] == ["br-mgm", "br-ctl"]
    assert len({one.get("address") for one in root.findall("devices/interface/mac")}) == 2


def test_disk_for_cloud_init_is_read_only_and_nothing_to_keep() -> None:
    found = definition.read(blueprint.definition(WANTED._replace(seed="/images/seed")))
    assert [disk.target for disk in found.disks] == ["vda"] and found.ignored == ("vdb",)


def test_container_has_its_root_in_the_file() -> None:
    found = definition.read(blueprint.definition(WANTED._replace(kind="lxc", format="raw")))
    assert [tuple(disk)[:4] for disk in found.files] == [("/", "file", "/images/upg01/a&b.qcow2", "raw")]
    assert blueprint.uri("lxc") == "lxc:///system" and blueprint.uri("kvm") == "qemu:///system"


def test_same_machine_is_the_same_twice_and_takes_over_an_identity() -> None:
    assert blueprint.definition(WANTED) == blueprint.definition(WANTED)
    assert definition.read(blueprint.definition(WANTED, "old-uuid")).uuid == "old-uuid"
    assert blueprint.mac("upg01", 0) == blueprint.mac("upg01", 0) != blueprint.mac("upg02", 0)


def test_sizes_that_no_machine_has_are_refused() -> None:
    with pytest.raises(
        StepError, match="upg01 is to have 0 processors and 65536 MiB of memory: look at its size in the"
    ):
        blueprint.definition(WANTED._replace(cpus=0))
    with pytest.raises(StepError, match=r"no container from a file whose path is longer than 63 characters: /a+"):
        blueprint.definition(WANTED._replace(kind="lxc", path="/" + 63 * "a"))
    with pytest.raises(StepError, match="no machine of kind xen: take one of kvm, qemu, lxc"):
        blueprint.uri("xen")
