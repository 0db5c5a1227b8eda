"""The entry gate: all that is in the way of all domains, at once, each with its name and its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.host import findings
from upgrader_node.vm import check, finding, judgement, survey
from upgrader_node.vm.definition import Definition, Disk
from upgrader_node.vm.hypervisor import LibvirtFailed, Standing
from upgrader_node.vm.images import Image

from tests.support.hypervisor_in_memory import HypervisorInMemory, definition
from tests.unit.vm.conftest import CTL, World

PATH = "/images/system.qcow2"
IMAGE = Image(PATH, "qcow2", 3_000_000_000, 2_000_000_000, 10_000_000_000)
SOUND = survey.Facts(
    "qemu:///system",
    Definition("ctl01", "1", "kvm", (Disk("vda", "file", PATH, "qcow2"),), (), ()),
    Standing("running", True, True, False),
    (),
    {PATH: IMAGE},
    {},
    {PATH: []},
)


def said(facts: survey.Facts, mode: str = "rename", folder: str = "") -> list[str]:
    return [one["what"] for one in findings.blockers(judgement.judge("kvm01", facts, mode, folder))]


@pytest.mark.parametrize("mode", survey.MODES)
def test_sound_domain_has_nothing_in_the_way(mode: str) -> None:
    assert said(SOUND, mode) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"standing": Standing("running", False, False, False)}, "ctl01 on kvm01 is not defined, it only runs"),
        (
            {"standing": Standing("shut off", True, False, True)},
            "ctl01 on kvm01 has a saved memory that the next start",
        ),
        (
            {"snapshots": ("before", "after")},
            "ctl01 on kvm01 has the snapshots before, after, which know the disk by its",
        ),
        (
            {"broken": {PATH: f"{PATH} is no whole qcow2 image"}},
            f"has disk vda that cannot be kept: {PATH} is no whole",
        ),
        ({"users": {PATH: ["ctl02"]}}, f"ctl01 on kvm01 has disk vda in {PATH}, which ctl02 needs too"),
        ({"defined": SOUND.defined._replace(disks=())}, "ctl01 on kvm01 has no disk that could be kept"),
        ({"defined": SOUND.defined._replace(refusals=(("has x", "do y"),))}, "ctl01 on kvm01 has x"),
        (
            {"defined": SOUND.defined._replace(disks=(Disk("vda", "block", "/dev/v", "raw", ("is a block", "do")),))},
            "ctl01 on kvm01 has disk vda, which is a block",
        ),
        (
            {"images": {PATH: IMAGE._replace(path=PATH + ".live-r1")}},
            f"ctl01 on kvm01 writes disk vda to {PATH}.live-r1, which a live backup that was cut left",
        ),
    ],
)
def test_what_is_not_handled_is_refused_by_name(change: dict[str, object], what: str) -> None:
    (one,) = said(SOUND._replace(**change))
    assert what in one


def test_disk_on_another_image_may_be_renamed_beside_itself_and_nothing_else() -> None:
    layered = SOUND._replace(images={PATH: IMAGE._replace(below=("/images/base.qcow2",))})
    assert said(layered) == said(layered, "copy") == []
    (info,) = judgement.judge("kvm01", layered, "rename")
    assert info["severity"] == "info" and "stands on /images/base.qcow2, which is not copied" in info["what"]
    assert "stands on /images/base.qcow2" in said(layered, "live")[0]
    assert "stands on /images/base.qcow2" in said(layered, "copy", "/srv")[0]


def test_live_backup_is_for_running_machines_only() -> None:
    off = SOUND._replace(standing=Standing("shut off", True, True, False))
    assert said(off, "live") == ["ctl01 on kvm01 is shut off and a live backup needs it to run"]
    container = SOUND._replace(defined=SOUND.defined._replace(kind="lxc"))
    assert said(container, "live") == ["ctl01 on kvm01 is a container, which has no live backup"]


def test_room_is_counted_for_all_domains_together() -> None:
    assert judgement.needs(SOUND, "rename") == judgement.needs(SOUND, "reflink") == {"/images": 0}
    assert judgement.needs(SOUND, "copy") == {"/images": 2_000_000_000}
    assert judgement.needs(SOUND, "live", "/srv") == {"/images": 1_000_000_000, "/srv": 2_000_000_000}
    both = judgement.together([judgement.needs(SOUND, "copy")] * 2)
    assert both == {"/images": 4_000_000_000}
    (short,) = judgement.judge_rooms("kvm01", both, {"/images": survey.Room(3_000_000_000)}, "copy")
    assert short["what"] == "kvm01 has 3000 MB free in /images and needs 4064"
    assert "mode rename, which copies nothing" in short["remedy"]
    assert judgement.judge_rooms("kvm01", both, {"/images": survey.Room(5_000_000_000)}, "copy") == []


def test_filesystem_that_cannot_take_a_disk_is_named() -> None:
    (fault,) = judgement.judge_rooms(
        "kvm01", {"/images": 0}, {"/images": survey.Room(9**12, "is mounted read-only")}, "copy"
    )
    assert fault["what"] == "kvm01 cannot keep disks in /images, which is mounted read-only"
    room = survey.Room(9**12, reflinks=False)
    (fault,) = judgement.judge_rooms("kvm01", {"/images": 0}, {"/images": room}, "reflink")
    assert fault["what"] == "kvm01 cannot share blocks in /images: its filesystem has no reflinks"
    assert survey.room("/nowhere", "copy").fault == "No such file or directory"


def test_gate_looks_at_all_domains_before_it_says_anything(world: World) -> None:
    world.hypervisor.define(definition("ctl02", {"vda": world.disks["vda"]}, uuid="2"))
    world.hypervisor.define(definition("ctl03", {"vda": Path("/nowhere/c.img")}, uuid="3"))
    answer = check.check(world.host, [CTL, "ctl02", "ctl03", "ctl09"], "rename")
    assert answer["comment"] == "3 of 4 domains looked at, 4 things in the way"
    assert sorted(one["subject"] for one in answer["findings"]) == ["ctl01", "ctl02", "ctl03", "ctl09"]
    said = " ".join(one["what"] for one in answer["findings"])
    assert "kvm01 has no domain ctl09: it has ctl01, ctl02, ctl03; check the name" in said
    assert [one["domain"] for one in answer["domains"]] == [CTL, "ctl02", "ctl03"]
    with pytest.raises(StepError, match=r"vda.img, which ctl02 needs too \(give each domain a disk of its own\)"):
        world.keep()


def test_link_is_no_disk(world: World, tmp_path: Path) -> None:
    link = tmp_path / "images" / "link.img"
    link.symlink_to(world.disks["vda"])
    world.hypervisor.define(definition(CTL, {"vda": link}))
    with pytest.raises(StepError, match=r"link.img is a link to .*vda.img: name that in the definition"):
        world.keep()
    assert world.disks["vda"].exists()


class Silent(HypervisorInMemory):
    def names(self) -> tuple[str, ...]:
        raise LibvirtFailed("connection refused")


def test_libvirt_that_does_not_answer_is_not_a_node_without_domains(world: World, tmp_path: Path) -> None:
    silent = Silent(tmp_path / "other.json", "lxc:///system")
    with pytest.raises(
        StepError, match=r"libvirt on kvm01 does not answer: lxc:///system \(connection refused\); start"
    ):
        finding.find(finding.Host("kvm01", [silent]), CTL)
    both = finding.Host("kvm01", [silent, world.hypervisor])
    assert finding.find(both, CTL) is world.hypervisor
    with pytest.raises(
        StepError, match=r"no domain ctl05: it has ctl01; no answer of lxc:///system \(connection refused\)"
    ):
        finding.find(both, "ctl05")
    with pytest.raises(StepError, match="'--help' is no name of a domain"):
        finding.find(both, "--help")
