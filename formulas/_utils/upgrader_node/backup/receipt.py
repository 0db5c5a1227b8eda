"""Receipts: what a backup is known by. One folder an id in the backup store: the archive, its receipt, what was counted in it."""

import hashlib
import json
import os
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files

ARCHIVE, PARTIAL, RECEIPT, COUNTS = "archive.zst", "archive.partial", "receipt.json", "counts.json"
CONTENTS, EXPORT = "contents.json", "export"
IDENTITY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
CHUNK = 1024 * 1024
Document = typing.Dict[str, typing.Any]


def folder(store: str, identity: str) -> str:
    """The folder of one backup. Raises StepError for an id that is no plain name (it becomes part of a path)."""
    if not IDENTITY.match(identity):
        raise StepError(
            "backup id {!r} is not a plain name of letters, digits, dot, dash and underscore".format(identity)
        )
    return os.path.join(store, identity)


def read(store: str, identity: str) -> Document:
    """The receipt of one backup. Raises StepError when there is none or it cannot be read."""
    return _document(store, identity, RECEIPT)


def contents(store: str, identity: str) -> Document:
    """What every table held at the moment of the backup, by database and table. Raises StepError."""
    databases = _document(store, identity, CONTENTS)["databases"]  # type: Document
    return databases


def _document(store: str, identity: str, name: str) -> Document:
    path = os.path.join(folder(store, identity), name)
    try:
        with open(path) as file:
            document = json.load(file)  # type: Document
            return document
    except FileNotFoundError:
        raise StepError(
            "no backup {} in {}: it was never finished or has been removed ({} is not there)".format(
                identity, store, name
            )
        ) from None
    except (OSError, ValueError) as error:
        raise StepError("{} cannot be read ({}): restore it from a copy of the store".format(path, error)) from error


def write(path: str, document: typing.Mapping[str, typing.Any]) -> None:
    """Write JSON so that a crash leaves the old file or the new one, never half of it; readable by its owner only.

    The owner is the folder's: the store's own user has to be able to show a receipt that root has added a proof to.
    """
    with files.whole(path, owned_as_folder=True) as file:
        json.dump(document, file, indent=1, sort_keys=True)


def verify(store: str, identity: str) -> Document:
    """Compare the archive with its receipt, byte count first, then sha256. Returns the receipt; raises StepError."""
    receipt = read(store, identity)
    path = os.path.join(folder(store, identity), ARCHIVE)
    try:
        size = os.path.getsize(path)
    except OSError:
        raise StepError(
            "archive {} is gone although its receipt is there: this backup cannot be used".format(path)
        ) from None
    if size != receipt["bytes"]:
        raise StepError(
            "archive {} has {} bytes, its receipt says {}: this backup cannot be used".format(
                path, size, receipt["bytes"]
            )
        )
    digest = sha256(path)
    if digest != receipt["sha256"]:
        raise StepError(
            "archive {} has sha256 {}, its receipt says {}: it was changed since".format(
                path, digest, receipt["sha256"]
            )
        )
    return receipt


def sha256(path: str) -> str:
    """Hash of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()
