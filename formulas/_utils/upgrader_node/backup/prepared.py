"""Prepared copies of backups in the store: unpacked, rolled forward, ready for a scratch server. Hold ``lock.STORE``."""

import os
import shutil

from upgrader_node.backup import backup_tool, receipt, scratch
from upgrader_node.backup.receipt import Document
from upgrader_node.errors import StepError
from upgrader_node.host import pipeline

SCRATCH, MARK = "scratch", "prepared"


def folder(store: str, identity: str) -> str:
    """Where the prepared copy of a backup is. Raises StepError for an id that is no plain name."""
    return os.path.join(store, SCRATCH, os.path.basename(receipt.folder(store, identity)))


def is_there(store: str, identity: str) -> bool:
    """Whether a finished copy is there."""
    return os.path.exists(os.path.join(folder(store, identity), MARK))


def of_proven(store: str, identity: str, timeout: float) -> str:
    """The folder of a proven backup's copy; it is made again from the verified archive when it is gone."""
    if not receipt.read(store, identity).get("proven"):
        raise StepError("backup {} was never proven: run upgrader_store.prove first".format(identity))
    if is_there(store, identity):
        return folder(store, identity)
    return prepare(store, receipt.verify(store, identity), timeout)


def prepare(store: str, document: Document, timeout: float) -> str:
    """Unpack and prepare an archive once; a copy that a crash left half-made has no mark and is made anew."""
    target = folder(store, document["id"])
    if is_there(store, document["id"]):
        return target
    remove(store, document["id"])
    os.makedirs(target, mode=0o700)
    tool = backup_tool.need(shutil.which)
    _unpack(
        document["compression"],
        os.path.join(receipt.folder(store, document["id"]), receipt.ARCHIVE),
        tool,
        target,
        timeout,
    )
    preparing = pipeline.run([backup_tool.prepare_command(tool, target)], timeout=timeout)[0]
    if preparing.code != 0 or not backup_tool.succeeded(preparing.words):
        raise StepError(
            "backup {} cannot be prepared: {}".format(document["id"], backup_tool.last_complaint(preparing.words))
        )
    with open(os.path.join(target, MARK), "w") as file:
        os.fsync(file.fileno())
    return target


def _unpack(packing: str, archive: str, tool: backup_tool.Tool, target: str, timeout: float) -> None:
    unpacking = [backup_tool.decompress_command(packing, archive), backup_tool.unpack_command(tool, target)]
    cause = pipeline.first_cause(pipeline.run(unpacking, timeout=timeout))
    if cause is not None:
        raise StepError("archive {} cannot be unpacked: {}".format(archive, pipeline.describe(cause)))


def remove(store: str, identity: str) -> bool:
    """Remove a copy, with the scratch server that a killed call may have left on it. Whether there was one."""
    target = folder(store, identity)
    if not os.path.isdir(target):
        return False
    scratch.stop(target)
    shutil.rmtree(target)
    return True


def remove_others(store: str, identity: str) -> None:
    """Copies that earlier runs left when they were given up. Their archives stay, so nothing is lost."""
    copies = os.path.join(store, SCRATCH)
    for name in os.listdir(copies) if os.path.isdir(copies) else []:
        if name != identity:
            remove(store, name)
