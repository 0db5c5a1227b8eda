"""The backup store on the backup node: its room, its backups, and which of them may go."""

import os
import shutil
import typing

from upgrader_node.backup import prepared, receipt
from upgrader_node.backup.receipt import Document
from upgrader_node.errors import StepError
from upgrader_node.host import settings

SPARE_BYTES = 512 * 1024 * 1024
ROOM_FACTOR = 2.2
SIZE = "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
Answer = typing.Dict[str, typing.Any]


def room(store: str, held: int) -> Answer:
    """Whether an archive and a prepared copy of ``held`` bytes of databases have room, with some to spare. Raises StepError.

    An archive is never larger than that, a prepared copy a little.
    """
    needed = int(held * ROOM_FACTOR) + SPARE_BYTES
    free = shutil.disk_usage(_existing(store)).free
    if free < needed:
        raise StepError(
            "backup store {} has {} MB free and needs {} MB for databases of {} MB: make room there or set pillar {} to a "
            "larger disk".format(store, free // 1000000, needed // 1000000, held // 1000000, settings.STORE)
        )
    comment = "{} MB free, {} MB needed".format(free // 1000000, needed // 1000000)
    return {"comment": comment, "free": free, "needed": needed}


def _existing(path: str) -> str:
    """The folder itself, or the nearest one above it that exists: the one whose disk will be filled."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def receipts(store: str) -> typing.List[Document]:
    """Every finished backup, by id."""
    names = sorted(os.listdir(store)) if os.path.isdir(store) else []
    return [receipt.read(store, name) for name in names if os.path.exists(os.path.join(store, name, receipt.RECEIPT))]


def require_proven(store: str, identity: str, cloud: str = "") -> Answer:
    """Refuse a backup that was never proven, that is another cloud's, or whose archive is not what its receipt says."""
    document = receipt.read(store, identity)
    if not document.get("proven"):
        raise StepError(
            "backup {0} was never proven, so nobody knows whether it can be restored: run 'upgrader backup prove {0}' first".format(
                identity
            )
        )
    if cloud and document.get("cloud") != cloud:
        raise StepError(
            "backup {} is of cloud {}, this is cloud {}: name a backup of this one".format(
                identity, document.get("cloud") or "unknown", cloud
            )
        )
    said = "proven {proven}, {bytes} bytes as their receipt says".format(**receipt.verify(store, identity))
    return {"comment": said, "receipt": document}


def prune(store: str, keep: int, protected: typing.Container[str], dry_run: bool) -> Answer:
    """Remove the oldest backups beyond ``keep``, never one that is ``protected``. Hold ``lock.STORE`` meanwhile."""
    if keep < 1:
        raise StepError("at least one backup has to stay: give keep as 1 or more")
    held = sorted(receipts(store), key=lambda document: str(document["taken_at"]))
    spare = [document for document in held[:-keep] if document["id"] not in protected]
    for document in spare if not dry_run else []:
        _remove(store, document["id"])
    removed = [document["id"] for document in spare]
    megabytes = sum(document["bytes"] for document in spare) // 1000000
    verb = "would remove" if dry_run else "removed"
    return {
        "comment": "{} {} of {} backups, {} MB".format(verb, len(removed), len(held), megabytes),
        "removed": removed,
        "kept": [document["id"] for document in held if document["id"] not in removed],
        "changed": bool(removed) and not dry_run,
    }


def _remove(store: str, identity: str) -> None:
    """The receipt goes first: what has none is no backup any more, whenever this is cut off."""
    prepared.remove(store, identity)
    folder = receipt.folder(store, identity)
    os.unlink(os.path.join(folder, receipt.RECEIPT))
    shutil.rmtree(folder)


def arrived(store: str, identity: str) -> int:
    """Bytes of a backup that are in the store, whether it is finished or not."""
    folder = receipt.folder(store, identity)
    paths = [os.path.join(folder, name) for name in (receipt.PARTIAL, receipt.ARCHIVE)]
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path))
