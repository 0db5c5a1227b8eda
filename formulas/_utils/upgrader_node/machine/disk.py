"""A clean disk from a base image, made beside the running machine before the window, and put in its place in it.

``<disk>.making-<run>`` is unfinished and nobody's; ``<disk>.new-<run>`` is whole and seeded. A record with the file's inode says
which file was made, and holds the public halves of its keys.
"""

import json
import os
import shutil
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.machine import cloud_init, identity, seed
from upgrader_node.vm import commands, copying, finding, images, judgement, moving, power, receipts, survey

Answer = typing.Dict[str, typing.Any]
Record = typing.Dict[str, typing.Any]
GROW_SECONDS = 900.0
# e2fsck(8): 0 nothing to do, 1 errors corrected.
FSCK_FINE = (0, 1)


class Wanted(typing.NamedTuple):
    """The disk that is wanted: where it will be, its format, how large the guest sees it (0: as the base is)."""

    path: str
    format: str
    megabytes: int = 0


class Base(typing.NamedTuple):
    """The image that it is made from, on this node, and what its content has to be."""

    path: str
    sha256: str


def prepare(here: finding.Host, name: str, run: str, base: Base, wanted: Wanted, sown: identity.Seed) -> Answer:
    """The new disk beside its place, whole, grown and seeded. Made before, it is answered as it is. Raises StepError."""
    record = read(here, name, run)
    made = _made(record)
    if made:
        return _answer(record, made, changed=False)
    _require_sane(base, wanted, sown)
    _require_room(here.node, base, wanted)
    return _answer(*_make(here, name, run, base, wanted, sown), changed=True)


def _made(record: Record) -> str:
    """What a second call says; empty when there is nothing of it."""
    if record and moving.inode(record["new"]) == record["inode"]:
        # The name that it was made under, where the first call was cut between its two names.
        copying.forget(record["making"])
        return "{} was made already".format(record["new"])
    if record and moving.inode(record["path"]) == record["inode"]:
        return "{} was made and is in its place already".format(record["path"])
    return ""


def _make(
    here: finding.Host, name: str, run: str, base: Base, wanted: Wanted, sown: identity.Seed
) -> typing.Tuple[Record, str]:
    new = files.free_name("{}.new-{}".format(wanted.path, run))
    making = "{}.making-{}".format(wanted.path, run)
    # The record first: it must not outlive the file that it tells by its inode, which another file may be given then.
    copying.forget(_where(here, name, run))
    copying.forget(making)
    _copy(base, making)
    _grown(making, base, wanted)
    seeded = _seeded(making, name, run, wanted, sown)
    files.sync(making)
    record = {
        "domain": name,
        "run": run,
        "path": wanted.path,
        "new": new,
        "making": making,
        "format": wanted.format,
        "base": base.path,
        "base_sha256": base.sha256,
        "inode": moving.inode(making),
        **seeded,
    }
    _write(here, record)
    moving.move(making, new)
    return record, "{} was made from {}".format(new, base.path)


def place(here: finding.Host, name: str, run: str) -> Answer:
    """The new disk into its place, by a rename; what was there must have been kept. Raises StepError."""
    record = read(here, name, run)
    if not record:
        raise StepError("run {} made no disk for {} on {}: upgrader_disk.prepare makes it".format(run, name, here.node))
    if moving.inode(record["new"]) == record["inode"]:
        copying.forget(record["making"])
        for hypervisor, names in finding.names(here)[0]:
            if name in names:
                power.require_off(hypervisor, name, here.node)
        if moving.inode(record["path"]) not in (0, record["inode"]):
            what = "{} still holds the old disk of {}: keep it first (upgrader_disk.keep)"
            raise StepError(what.format(record["path"], name))
        moving.move(record["new"], record["path"])
        return _answer(record, "{} is the new disk of {}".format(record["path"], name), changed=True)
    if moving.inode(record["path"]) != record["inode"]:
        what = (
            "the disk that run {run} made for {domain} is neither at {new} nor at {path}: find it, or take another run"
        )
        raise StepError(what.format(**record))
    return _answer(record, "{} is the new disk of {} already".format(record["path"], name), changed=False)


def read(here: finding.Host, name: str, run: str) -> Record:
    """What was made for a domain by a run; empty when nothing was."""
    where = _where(here, name, run)
    try:
        with open(where, encoding="utf-8") as file:
            record = json.load(file)  # type: Record
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StepError("{} cannot be read ({}): take another run".format(where, error)) from None
    return record


def _write(here: finding.Host, record: Record) -> None:
    where = _where(here, record["domain"], record["run"])
    os.makedirs(os.path.dirname(where), mode=0o700, exist_ok=True)
    files.write(where, json.dumps(record, indent=1, sort_keys=True) + "\n")
    files.sync(os.path.dirname(where))


def _where(here: finding.Host, name: str, run: str) -> str:
    return receipts.path(here.receipts, run, name)[: -len(".json")] + ".new.json"


TOOLS = ("openssl", "ssh-keygen", "mount", "mkfs.vfat", "mcopy")


def _require_sane(base: Base, wanted: Wanted, sown: identity.Seed) -> None:
    missing = [tool for tool in TOOLS if sown.minion_id and shutil.which(tool) is None]
    if missing:
        raise StepError("this node has no {}: install it before new machines are made".format(", ".join(missing)))
    if wanted.format not in ("raw", "qcow2"):
        raise StepError("a new disk is raw or qcow2, not {}".format(wanted.format))
    if len(base.sha256) != 64:
        raise StepError("base image {} has to be named with its sha256: the image's publisher has it".format(base.path))
    if not os.path.isabs(wanted.path):
        raise StepError("the place of a new disk must be a whole path, not {}".format(wanted.path))


def _require_room(node: str, base: Base, wanted: Wanted) -> None:
    """The base as it is. A grown disk stays sparse: what the guest fills later is the site's to watch, as with any disk."""
    folder = os.path.dirname(wanted.path)
    os.makedirs(folder, mode=0o711, exist_ok=True)
    needed = {folder: images.look(base.path, wanted.format).allocated}
    rooms = {folder: survey.room(folder, survey.COPY)}
    for one in judgement.judge_rooms(node, needed, rooms, survey.COPY):
        raise StepError("{what}: {remedy}".format(what=one["what"], remedy="make room there, or name another place"))


def _copy(base: Base, making: str) -> None:
    found = copying.copy(base.path, making)
    if found != base.sha256:
        copying.forget(making)
        what = "base image {} has sha256 {} and not {}: fetch it again, and compare with what its publisher says"
        raise StepError(what.format(base.path, found, base.sha256))


def _grown(making: str, base: Base, wanted: Wanted) -> None:
    """On the unfinished file: when this fails it is nobody's, and the next call makes it anew."""
    os.chmod(making, 0o600)
    if wanted.megabytes:
        _grow(making, base, wanted)
    images.check(making, wanted.format)


def _seeded(making: str, name: str, run: str, wanted: Wanted, sown: identity.Seed) -> Record:
    """Into the disk itself where that is a file system, else on a disk for cloud-init beside it. The public halves of the keys."""
    if not sown.minion_id:
        return {"seed": "", "public": {}}
    texts, public = identity.texts(sown)
    if wanted.format == "raw" and seed.is_filesystem(making):
        seed.sow(making, [*texts, *identity.modules(sown)])
        return {"seed": "", "public": public}
    beside = "{}.seed-{}".format(wanted.path, run)
    cloud_init.make(beside, cloud_init.documents(sown, texts, "{}-{}".format(name, run)))
    return {"seed": beside, "public": public}


def _grow(making: str, base: Base, wanted: Wanted) -> None:
    held = images.look(making, wanted.format).virtual // 1024 // 1024
    if held > wanted.megabytes:
        what = "base image {} is for a disk of {} MB, and one of {} MB is wanted: take a larger size"
        raise StepError(what.format(base.path, held, wanted.megabytes))
    size = "{}M".format(wanted.megabytes)
    commands.must(["qemu-img", "resize", "-f", wanted.format, making, size], "the new disk does not grow")
    if wanted.format == "raw" and seed.is_filesystem(making):
        ran = commands.run(["e2fsck", "-f", "-y", making], GROW_SECONDS)
        if ran.code not in FSCK_FINE:
            raise StepError("the file system of {} is not sound: {}".format(base.path, ran.words))
        commands.must(["resize2fs", making], "the file system of the new disk does not grow", GROW_SECONDS)


def _answer(record: Record, comment: str, changed: bool) -> Answer:
    """``minion_key`` is the public key of the first of its minions, ``seed`` the disk for cloud-init; empty where there is none."""
    keys = list((record["public"].get("minions") or {}).values())
    return {
        "comment": comment,
        "changed": changed,
        "disk": record,
        "minion_key": keys[0] if keys else "",
        "seed": record["seed"],
    }
