"""Whether the files that a receipt names are what it says of them."""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import copying, images, receipts
from upgrader_node.vm.receipts import Receipt

Answer = typing.Dict[str, typing.Any]
REMEDY = "it was changed since and does not go back; find out by whom, and take another run's receipt"


def hash_kept(folder: str, given: Receipt, node: str) -> Answer:
    """The sha256 of every kept disk, in the receipt from then on. Reads whole disks: outside the window."""
    receipt = receipts.own(folder, given, node)
    _require_kept(receipt)
    missing = [disk for disk in receipt["disks"] if not disk["sha256"]]
    for disk in missing:
        _quick(disk)
        disk["sha256"] = copying.sha256(disk["kept"])
        _quick(disk)
        receipts.write(folder, receipt)
    return {
        "comment": "{} disks of {} hashed".format(len(missing), receipt["domain"]),
        "changed": bool(missing),
        "receipt": receipts.told(receipt),
    }


def verify(folder: str, given: Receipt, node: str, content: bool = True) -> Answer:
    """The kept disks against their receipt; with ``content`` every byte. Raises StepError by the name of the first that differs."""
    receipt = receipts.own(folder, given, node)
    _require_kept(receipt)
    compare(receipt["disks"], content)
    unknown = [disk["kept"] for disk in receipt["disks"] if not disk["sha256"]]
    how = "every byte" if content and not unknown else "size and time of the last write"
    comment = "{} disks of {} are as they were kept, by {}".format(len(receipt["disks"]), receipt["domain"], how)
    return {"comment": comment, "changed": False, "unhashed": unknown}


def compare(disks: typing.Sequence[Receipt], content: bool) -> None:
    """Raises StepError before anything is moved when one of them is not what was kept."""
    for disk in disks:
        _quick(disk)
        images.check(disk["kept"], disk["format"])
    for disk in disks:
        if content and disk["sha256"]:
            found = copying.sha256(disk["kept"])
            if found != disk["sha256"]:
                what = "kept disk {} has sha256 {}, its receipt says {}: " + REMEDY
                raise StepError(what.format(disk["kept"], found, disk["sha256"]))


def _quick(disk: Receipt) -> None:
    try:
        held = os.lstat(disk["kept"])
    except OSError as error:
        what = "kept disk {} cannot be read: {}; there is no way back by this receipt without it"
        raise StepError(what.format(disk["kept"], error.strerror)) from None
    if held.st_size != disk["size"]:
        what = "kept disk {} has {} bytes, its receipt says {}: " + REMEDY
        raise StepError(what.format(disk["kept"], held.st_size, disk["size"]))
    if held.st_mtime_ns != disk["modified"]:
        raise StepError("kept disk {} was written to after it was kept: {}".format(disk["kept"], REMEDY))


def _require_kept(receipt: Receipt) -> None:
    if receipt["state"] != receipts.KEPT:
        what = (
            "the disks of {domain} of run {run} are not kept, their receipt says {state}: there is nothing to look at"
        )
        raise StepError(what.format(**receipt))
