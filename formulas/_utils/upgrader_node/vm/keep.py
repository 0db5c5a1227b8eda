"""Keeps a domain's disks under names that hold the run, with a receipt. Cut at any instruction and called again it goes on.

``rename`` moves the disk itself, so it costs nothing and the domain has no disk afterwards; ``reflink`` and ``copy`` leave it
where it is; ``live`` copies while the domain runs, as a power cut at that moment would have left the disk.
"""

import os
import re
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.vm import check, copying, finding, images, live, moving, power, receipts, survey
from upgrader_node.vm.hypervisor import Hypervisor
from upgrader_node.vm.receipts import Receipt

Answer = typing.Dict[str, typing.Any]


def keep(here: finding.Host, name: str, run: str, mode: str, folder: str = "", now: str = "") -> Answer:
    """The answer holds the receipt, which the way back needs, and warnings. A finished one is answered as it is."""
    check.require_mode(mode, folder)
    receipt = receipts.read(here.receipts, run, name)
    if receipt is None or _overtaken(receipt):
        receipt = _intend(here, name, run, mode, folder, now)
    _require_same(receipt, mode)
    if receipt["state"] == receipts.KEPT:
        return _answer(receipt, _present(receipt), changed=False)
    _carry_out(here, receipt)
    receipt = receipts.write(here.receipts, dict(receipt, state=receipts.KEPT, disks=_as_kept(receipt)))
    return _answer(receipt, "{} disks of {} kept".format(len(receipt["disks"]), name), changed=True)


def progress(here: finding.Host, name: str, run: str) -> Answer:
    """How much of the copies is there, in megabytes of room; asked beside a ``keep`` that runs."""
    receipt = receipts.read(here.receipts, run, name)
    disks = receipt["disks"] if receipt else []
    done = sum(max(_room(disk["kept"]), _room(disk["kept"] + copying.PARTIAL)) for disk in disks)
    total = sum(disk["allocated"] for disk in disks)
    return {"what": "MB kept", "done": done // 1000000, "total": total // 1000000}


def _room(path: str) -> int:
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def _require_same(receipt: Receipt, mode: str) -> None:
    if receipt["mode"] != mode:
        what = "run {run} keeps the disks of {domain} by mode {mode}: ask for that, or take another run"
        raise StepError(what.format(**receipt))
    if receipt["state"] not in (receipts.INTENDED, receipts.KEPT):
        what = "the disks of {domain} that run {run} kept are {state} already: keep them under another run"
        raise StepError(what.format(**receipt))


def _overtaken(receipt: Receipt) -> bool:
    """Whether the domain ran again after a copy was cut: what there is of it is no longer one moment of all disks."""
    if receipt["state"] != receipts.INTENDED or receipt["mode"] not in (survey.COPY, survey.REFLINK):
        return False
    return any(_moment(disk["path"]) != (disk["size"], disk["modified"]) for disk in receipt["disks"])


def _intend(here: finding.Host, name: str, run: str, mode: str, folder: str, now: str) -> Receipt:
    """Everything that can refuse does it here, while nothing has been touched; then the intent is on disk."""
    hypervisor = finding.find(here, name)
    facts = survey.survey(hypervisor, name, survey.uses(here))
    said = check.judgement.judge(here.node, facts, mode, folder) + check.rooms(here.node, [facts], mode, folder)
    check.refuse(said)
    warnings = ["{what} ({remedy})".format(**one) for one in said]
    if mode != survey.LIVE:
        power.require_off(hypervisor, name, here.node)
        warnings += [words for words in (images.check(d.source, d.format) for d in facts.defined.files) if words]
    receipt = {
        "schema": receipts.SCHEMA,
        "run": run,
        "node": here.node,
        "domain": name,
        "uri": hypervisor.uri,
        "uuid": facts.defined.uuid,
        "mode": mode,
        "state": receipts.INTENDED,
        "taken_at": now or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "autostart": facts.standing.autostart,
        "warnings": warnings,
        "disks": [_intended(disk, facts.images[disk.source], name, run, folder) for disk in facts.defined.files],
        **_definitions(hypervisor, name),
    }  # type: Receipt
    return receipts.write(here.receipts, receipt)


def _definitions(hypervisor: Hypervisor, name: str) -> typing.Dict[str, str]:
    """The definition as anybody may read it and, where that is another one, with the passwords of its consoles."""
    plain, whole = hypervisor.xml(name), hypervisor.xml(name, secrets=True)
    return {"definition": plain, **({receipts.SECRET: whole} if whole != plain else {})}


def _intended(disk: typing.Any, image: images.Image, name: str, run: str, folder: str) -> Receipt:
    kept = files.free_name(_kept_name(disk, name, run, folder))
    size, modified = _moment(image.path)
    return {
        "target": disk.target,
        "path": image.path,
        "kept": kept,
        "format": image.format,
        "size": size,
        "allocated": image.allocated,
        "virtual": image.virtual,
        "modified": modified,
        "inode": moving.inode(image.path),
        "below": list(image.below),
        "sha256": "",
    }


def _kept_name(disk: typing.Any, name: str, run: str, folder: str) -> str:
    """Beside the disk; in a folder of many domains with the domain's name before it."""
    if not folder:
        return "{}.kept-{}".format(disk.source, run)
    target = re.sub(r"[^A-Za-z0-9]", "", disk.target) or "root"
    return os.path.join(folder, "{}-{}-{}.kept-{}".format(name, target, os.path.basename(disk.source), run))


def _carry_out(here: finding.Host, receipt: Receipt) -> None:
    name = receipt["domain"]
    if receipt["mode"] == survey.LIVE:
        live.copy_running(here, receipt)
        return
    power.require_off(finding.find(here, name), name, here.node)
    for disk in receipt["disks"]:
        if receipt["mode"] == survey.RENAME:
            _rename(disk, receipt["run"])
        elif not copying.whole(disk["kept"]):
            _copy(disk, receipt["mode"])


def _rename(disk: Receipt, run: str) -> None:
    if moving.inode(disk["path"]) == disk["inode"]:
        moving.move(disk["path"], disk["kept"])
    elif moving.inode(disk["kept"]) != disk["inode"]:
        what = "neither {path} nor {kept} is the disk that run {run} means to keep: find where it went before anything else"
        raise StepError(what.format(run=run, **disk))


def _copy(disk: Receipt, mode: str) -> None:
    if mode == survey.REFLINK:
        copying.reflink(disk["path"], disk["kept"])
    else:
        disk["sha256"] = copying.copy(disk["path"], disk["kept"])


def _as_kept(receipt: Receipt) -> typing.List[Receipt]:
    """The disks as they lie there now: what the way back compares with."""
    found = []
    for disk in receipt["disks"]:
        size, modified = _moment(disk["kept"])
        found.append(dict(disk, size=size, modified=modified, inode=moving.inode(disk["kept"])))
    return found


def _present(receipt: Receipt) -> str:
    for disk in receipt["disks"]:
        if moving.inode(disk["kept"]) != disk["inode"]:
            what = "{kept} is not the disk that run {run} kept of {domain} any more: there is no way back by it"
            raise StepError(what.format(kept=disk["kept"], run=receipt["run"], domain=receipt["domain"]))
    return "{} disks of {} were kept already".format(len(receipt["disks"]), receipt["domain"])


def _moment(path: str) -> typing.Tuple[int, int]:
    """Size and time of the last write: the same two say that nobody wrote since."""
    try:
        held = os.lstat(path)
    except OSError:
        return -1, -1
    return held.st_size, held.st_mtime_ns


def _answer(receipt: Receipt, comment: str, changed: bool) -> Answer:
    return {"comment": comment, "changed": changed, "receipt": receipts.told(receipt), "warnings": receipt["warnings"]}
