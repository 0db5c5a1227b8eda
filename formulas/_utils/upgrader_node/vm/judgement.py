"""What stands in the way of keeping a domain's disks, all of it at once and before anything is touched. Pure."""

import fnmatch
import os
import typing

from upgrader_node.host import findings
from upgrader_node.host.findings import Finding, Findings
from upgrader_node.vm import survey
from upgrader_node.vm.images import Image
from upgrader_node.vm.survey import Facts, Room

SPARE = 64 * 1000 * 1000
# What a guest may write while its disk is copied beside it.
LIVE_GROWTH = 1000 * 1000 * 1000
Need = typing.Dict[str, int]


def judge(node: str, facts: Facts, mode: str, folder: str = "") -> Findings:
    """Of one domain. Returns findings; one of severity ``blocker`` refuses the backup."""
    said = [*_of_domain(facts), *_of_disks(facts, mode, folder), *_of_mode(facts, mode)]
    name = facts.defined.name
    return [
        findings.finding(name, "{} on {} {}".format(name, node, what), remedy, severity)
        for what, remedy, severity in said
    ]


def judge_rooms(node: str, needs: Need, rooms: typing.Mapping[str, Room], mode: str) -> Findings:
    """Of the folders, for all domains together."""
    return [one for folder, need in sorted(needs.items()) for one in _of_room(node, folder, need, rooms[folder], mode)]


def needs(facts: Facts, mode: str, folder: str = "") -> Need:
    """Bytes that each folder has to have free for one domain."""
    wanted = {}  # type: Need
    for image in facts.images.values():
        own = os.path.dirname(image.path)
        wanted[own] = wanted.get(own, 0) + (LIVE_GROWTH if mode == survey.LIVE else 0)
        target = folder or own
        wanted[target] = wanted.get(target, 0) + (image.allocated if mode in (survey.COPY, survey.LIVE) else 0)
    return wanted


def together(all_needs: typing.Iterable[Need]) -> Need:
    """The needs of several domains in one."""
    wanted = {}  # type: Need
    for one in all_needs:
        for folder, need in one.items():
            wanted[folder] = wanted.get(folder, 0) + need
    return wanted


Said = typing.Iterator[typing.Tuple[str, str, str]]


def _of_domain(facts: Facts) -> Said:
    if not facts.standing.persistent:
        yield "is not defined, it only runs", "define it (virsh define) from its own XML", findings.BLOCKER
    if facts.standing.saved:
        yield (
            "has a saved memory that the next start would resume on another disk",
            "start it once, or forget it (virsh managedsave-remove)",
            findings.BLOCKER,
        )
    if facts.snapshots:
        what = "has the snapshots {}, which know the disk by its name".format(findings.some(list(facts.snapshots)))
        yield what, "merge or delete them (virsh snapshot-delete)", findings.BLOCKER
    for what, remedy in facts.defined.refusals:
        yield what, remedy, findings.BLOCKER
    if not facts.defined.disks:
        yield "has no disk that could be kept", "look at its definition (virsh dumpxml)", findings.BLOCKER


def _of_disks(facts: Facts, mode: str, folder: str) -> Said:
    for disk in facts.defined.disks:
        named = "has disk {}, which ".format(disk.target)
        if disk.refusal is not None:
            yield named + disk.refusal[0], disk.refusal[1], findings.BLOCKER
            continue
        if facts.users.get(disk.source):
            what = "has disk {} in {}, which {} needs too".format(
                disk.target, disk.source, findings.some(facts.users[disk.source])
            )
            yield what, "give each domain a disk of its own", findings.BLOCKER
        if disk.source in facts.broken:
            what = "has disk {} that cannot be kept: {}".format(disk.target, facts.broken[disk.source])
            yield what, "mend the image or the definition", findings.BLOCKER
        else:
            yield from _of_image(disk.target, facts.images[disk.source], mode, folder)


def _of_image(target: str, image: Image, mode: str, folder: str) -> Said:
    if fnmatch.fnmatch(image.path, "*.live-*"):
        what = "writes disk {} to {}, which a live backup that was cut left".format(target, image.path)
        yield what, "let that run end it (upgrader_disk.keep with the same run)", findings.BLOCKER
    elif image.below and (mode == survey.LIVE or folder):
        what = "has disk {} that stands on {}".format(target, findings.some(image.below))
        yield what, "keep it by mode rename beside itself, or flatten it (qemu-img convert)", findings.BLOCKER
    elif image.below:
        what = "has disk {} that stands on {}, which is not copied".format(target, findings.some(image.below))
        yield what, "leave that image where it is until the disk is no longer needed", findings.INFO


def _of_mode(facts: Facts, mode: str) -> Said:
    if mode == survey.LIVE and facts.defined.kind == "lxc":
        yield "is a container, which has no live backup", "take mode rename, or copy", findings.BLOCKER
    elif mode == survey.LIVE and facts.standing.state != "running":
        what = "is {} and a live backup needs it to run".format(facts.standing.state)
        yield what, "start it, or take mode rename", findings.BLOCKER


def _of_room(node: str, folder: str, need: int, room: Room, mode: str) -> typing.Iterator[Finding]:
    if room.fault:
        what = "cannot keep disks in {}, which {}".format(folder, room.fault)
        yield findings.of_node(node, what, "mend that filesystem, or name another folder")
    elif room.free < need + SPARE:
        what = "has {} MB free in {} and needs {}".format(room.free // 1000000, folder, (need + SPARE) // 1000000)
        yield findings.of_node(node, what, "make room there, or take mode rename, which copies nothing")
    elif not room.reflinks:
        what = "cannot share blocks in {}: its filesystem has no reflinks".format(folder)
        yield findings.of_node(node, what, "take mode rename, or copy")
