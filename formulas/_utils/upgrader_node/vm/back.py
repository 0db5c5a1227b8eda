"""A domain's disks and its definition as a receipt has them. What stands in their place is moved aside, never overwritten.

Everything is proven before the first file is moved; from then on the files themselves say how far a cut call got.
"""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.vm import copying, definition, finding, moving, power, proof, receipts, survey
from upgrader_node.vm.hypervisor import Hypervisor
from upgrader_node.vm.receipts import Receipt

Answer = typing.Dict[str, typing.Any]


def restore(here: finding.Host, given: Receipt, content: bool = True) -> Answer:
    """Back to the receipt; the domain is left off. A second call finds that and says so. Raises StepError.

    :param content: compare every byte of the kept disks first, where the receipt has hashes
    """
    receipt = receipts.own(here.receipts, given, here.node)
    if receipt["state"] == receipts.RETURNED:
        return _answer(receipt, _still_back(receipt), changed=False)
    if receipt["state"] == receipts.DISCARDED:
        what = "what run {run} kept of {domain} was discarded: there is no way back by this receipt"
        raise StepError(what.format(**receipt))
    _require_nobody(here, receipt["domain"])
    if receipt["state"] != receipts.RETURNING:
        receipt = _prepare(here, receipt, content)
    for disk in receipt["disks"]:
        _return(disk)
    _redefine(here, receipt)
    receipt = receipts.write(here.receipts, dict(receipt, state=receipts.RETURNED))
    return _answer(receipt, "{} disks of {} are back".format(len(receipt["disks"]), receipt["domain"]), changed=True)


def back(here: finding.Host, name: str, run: str, given: typing.Optional[Receipt] = None) -> Answer:
    """To before a run, however far that run came: what it kept goes back, and where it kept nothing nothing is done.

    :param given: the receipt as the journal has it, for a node that has lost its own
    """
    receipt = receipts.read(here.receipts, run, name) or given
    if receipt is None:
        return {"comment": _nothing(name, run), "changed": False, "moved_aside": []}
    return restore(here, receipt, content=False)


def can_go_back(here: finding.Host, name: str, run: str, given: typing.Optional[Receipt] = None) -> Answer:
    """Whether ``back`` would find what it needs. Changes nothing. Raises StepError by the name of the first disk that differs."""
    receipt = receipts.read(here.receipts, run, name) or given
    if receipt is None:
        return {"comment": _nothing(name, run), "changed": False}
    if receipt["state"] == receipts.RETURNED:
        return {"comment": _still_back(receipts.own(here.receipts, receipt, here.node)), "changed": False}
    if receipt["state"] == receipts.KEPT:
        return proof.verify(here.receipts, receipt, here.node)
    return {"comment": "the way back of {domain} is {state}, and goes on".format(**receipt), "changed": False}


def _nothing(name: str, run: str) -> str:
    return "run {} kept no disk of {}: it is where it was".format(run, name)


def _prepare(here: finding.Host, receipt: Receipt, content: bool) -> Receipt:
    """What will be moved, proven and written down: of each disk the file that goes back, and where goes what is in its place."""
    if receipt["state"] == receipts.KEPT:
        proof.compare(receipt["disks"], content)
        disks = [_with_names(_beside(disk, receipt["run"]), receipt["run"]) for disk in receipt["disks"]]
    elif receipt["mode"] == survey.RENAME:
        disks = [_with_names(dict(disk, back=disk["kept"]), receipt["run"]) for disk in receipt["disks"]]
    else:
        disks = [dict(disk, back=_untouched(disk, receipt)) for disk in receipt["disks"]]
    return receipts.write(here.receipts, dict(receipt, state=receipts.RETURNING, disks=disks))


def _beside(disk: Receipt, run: str) -> Receipt:
    """The file that a rename can put into the disk's place: the kept one, or a copy of it where that is on another filesystem."""
    if os.stat(disk["kept"]).st_dev == os.stat(os.path.dirname(disk["path"])).st_dev:
        return dict(disk, back=disk["kept"])
    back = "{}.returning-{}".format(disk["path"], run)
    copying.forget(back)
    read = copying.copy(disk["kept"], back)
    if disk["sha256"] and read != disk["sha256"]:
        copying.forget(back)
        what = "kept disk {} has sha256 {}, its receipt says {}: " + proof.REMEDY
        raise StepError(what.format(disk["kept"], read, disk["sha256"]))
    return dict(disk, back=back, inode=moving.inode(back), kept_inode=disk["inode"])


def _untouched(disk: Receipt, receipt: Receipt) -> str:
    """A copy that was never finished left the disk itself where it was: nothing goes back. Raises StepError if it is not there."""
    if receipt["mode"] == survey.LIVE:
        what = (
            "the live backup of {domain} by run {run} was cut: let upgrader_disk.keep end it first, with the same run"
        )
        raise StepError(what.format(**receipt))
    if moving.inode(disk["path"]) != disk["inode"]:
        what = (
            "the copy of {path} was never finished and {path} is another file now: there is no way back by this receipt"
        )
        raise StepError(what.format(**disk))
    return ""


def _with_names(disk: Receipt, run: str) -> Receipt:
    """Where goes what is in the disk's place now, and which file that is."""
    replaced = files.free_name("{}.replaced-{}".format(disk["path"], run))
    return dict(disk, replaced=replaced, replaced_inode=moving.inode(disk["path"]))


def _return(disk: Receipt) -> None:
    if not disk["back"]:
        return
    there = moving.inode(disk["path"])
    if moving.inode(disk["back"]) == disk["inode"]:
        if there not in (0, disk["inode"]):
            moving.move(disk["path"], disk["replaced"])
        moving.move(disk["back"], disk["path"])
    elif there != disk["inode"]:
        what = "{back} is gone and {path} is not what was kept: find where that disk went before the domain is started"
        raise StepError(what.format(**disk))


def _require_nobody(here: finding.Host, name: str) -> None:
    """Every domain of that name, under whichever driver: one that runs would write to what is moved below it."""
    for hypervisor, names in finding.names(here)[0]:
        if name in names:
            power.require_off(hypervisor, name, here.node)


def _redefine(here: finding.Host, receipt: Receipt) -> None:
    """The definition of the receipt, and no other domain of that name. A node may have lost it altogether."""
    name, wanted = receipt["domain"], receipt.get(receipts.SECRET) or receipt["definition"]
    own = finding.driver(here, receipt["uri"])
    for hypervisor, names in finding.names(here)[0]:
        if name in names and (hypervisor.uri != own.uri or _uuid(hypervisor, name) != receipt["uuid"]):
            hypervisor.undefine(name)
    own.define(wanted)
    own.set_autostart(name, receipt["autostart"])


def _uuid(hypervisor: Hypervisor, name: str) -> str:
    return definition.read(hypervisor.xml(name)).uuid


def _still_back(receipt: Receipt) -> str:
    for disk in receipt["disks"]:
        if moving.inode(disk["path"]) != disk["inode"]:
            what = "run {run} put disk {target} of {domain} back, and {path} is another file now: take the receipt of a later run"
            raise StepError(what.format(run=receipt["run"], domain=receipt["domain"], **disk))
    return "{} disks of {} are back already".format(len(receipt["disks"]), receipt["domain"])


def _answer(receipt: Receipt, comment: str, changed: bool) -> Answer:
    aside = [disk["replaced"] for disk in receipt["disks"] if os.path.lexists(disk.get("replaced", ""))]
    return {"comment": comment, "changed": changed, "moved_aside": aside, "receipt": receipts.told(receipt)}
