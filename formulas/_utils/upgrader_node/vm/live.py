"""A copy of a running domain's disks: they stand still below overlays, are copied, and take back what was written meanwhile.

Three things say how far a cut call got: which file the running domain writes to, whether the copy is there, and the block job.
"""

import os
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import copying, definition, finding, moving
from upgrader_node.vm.hypervisor import Hypervisor, LibvirtFailed
from upgrader_node.vm.receipts import Receipt

COMMIT_SECONDS = 3600.0
EVERY = 0.2


def copy_running(here: finding.Host, receipt: Receipt) -> None:
    """All of the receipt's disks copied, and the domain on its own files again. Raises StepError."""
    name = receipt["domain"]
    hypervisor = finding.find(here, name)
    _require_running(hypervisor, name, here.node)
    missing = _missing(receipt)
    if any(_written(hypervisor, name, disk) == disk["path"] for disk in missing):
        _begin_anew(hypervisor, receipt)
        missing = receipt["disks"]
    try:
        for disk in missing:
            disk["sha256"] = copying.copy(disk["path"], disk["kept"])
    finally:
        _take_back(hypervisor, receipt)


def _missing(receipt: Receipt) -> typing.List[Receipt]:
    return [disk for disk in receipt["disks"] if not copying.whole(disk["kept"])]


def _begin_anew(hypervisor: Hypervisor, receipt: Receipt) -> None:
    """All disks stand still at one moment. Copies of an earlier one that was not finished are ours and go."""
    _take_back(hypervisor, receipt)
    overlays = {disk["target"]: _overlay(disk, receipt["run"]) for disk in receipt["disks"]}
    for disk in receipt["disks"]:
        copying.forget(disk["kept"])
    hypervisor.snapshot_disks(receipt["domain"], overlays)


def _take_back(hypervisor: Hypervisor, receipt: Receipt) -> None:
    """No disk writes to an overlay of this run when this returns."""
    name = receipt["domain"]
    for disk in receipt["disks"]:
        overlay = _overlay(disk, receipt["run"])
        if _written(hypervisor, name, disk) == overlay:
            _commit(hypervisor, name, disk["target"])
            if _written(hypervisor, name, disk) != disk["path"]:
                what = "{} still writes to {} after its blocks were committed: look at it (virsh domblklist)"
                raise StepError(what.format(name, overlay))
            copying.forget(overlay)
        else:
            _aside(overlay)


def _commit(hypervisor: Hypervisor, name: str, target: str) -> None:
    """A commit that runs already is waited for: the call that began it was cut."""
    job = hypervisor.job(name, target)
    if job is None:
        hypervisor.begin_commit(name, target)
    deadline = time.monotonic() + COMMIT_SECONDS
    while True:
        job = hypervisor.job(name, target)
        if job is None:
            raise StepError("the commit of disk {} of {} ended before its time: run this again".format(target, name))
        if job.ready:
            break
        if time.monotonic() >= deadline:
            what = (
                "disk {} of {} did not take back its blocks within {:.0f} s, last seen {} of {} bytes: run this again"
            )
            raise StepError(what.format(target, name, COMMIT_SECONDS, job.done, job.total))
        time.sleep(EVERY)
    _pivot(hypervisor, name, target, deadline)


def _pivot(hypervisor: Hypervisor, name: str, target: str, deadline: float) -> None:
    """qemu says ready a moment after its numbers do."""
    while True:
        try:
            hypervisor.pivot(name, target)
            return
        except LibvirtFailed:
            if time.monotonic() >= deadline or hypervisor.job(name, target) is None:
                raise
        time.sleep(EVERY)


def _written(hypervisor: Hypervisor, name: str, disk: Receipt) -> str:
    """The file that the running domain writes to."""
    disks = definition.read(hypervisor.xml(name, running=True)).disks
    return next((one.source for one in disks if one.target == disk["target"]), "")


def _overlay(disk: Receipt, run: str) -> str:
    return "{}.live-{}".format(disk["path"], run)


def _aside(path: str) -> None:
    """An overlay that no domain writes to: of a call that was cut before libvirt took it, or after it gave it up. Not removed:
    of which of the two it is, nothing but its content would tell."""
    if os.path.lexists(path):
        moving.aside(path, path + ".unused")


def _require_running(hypervisor: Hypervisor, name: str, node: str) -> None:
    state = hypervisor.standing(name).state
    if state != "running":
        what = "{} on {} is {} and a live backup needs it to run: start it, then run this again"
        raise StepError(what.format(name, node, state))
