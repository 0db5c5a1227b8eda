"""Receipts of kept disks: one file for a run and a domain, written before anything is moved and again when all is in its place.

What a receipt says, it says of exactly the files that it names; the way back works from it and from nothing else.
"""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files, records

Receipt = typing.Dict[str, typing.Any]
SCHEMA = 1
# Intended: nothing says yet how far it got, the files do. Returning: the same of the way back.
INTENDED, KEPT, RETURNING, RETURNED, DISCARDED = "intended", "kept", "returning", "returned", "discarded"
SECRET = "definition_with_secrets"
FACTS = ("target", "path", "kept", "format")


def path(folder: str, run: str, domain: str) -> str:
    """Where the receipt is. Raises StepError for a run that is no plain name: it becomes part of paths."""
    records.plain(run)
    return os.path.join(folder, run, domain + ".json")


def read(folder: str, run: str, domain: str) -> typing.Optional[Receipt]:
    """The receipt of a run for a domain, or None. Raises StepError when it cannot be read."""
    return records.read(path(folder, run, domain), "put it back from the journal's reply")


def write(folder: str, receipt: Receipt) -> Receipt:
    """On disk when this returns, the old one or the new one whole. Readable by root only: it may hold a console's password."""
    where = path(folder, receipt["run"], receipt["domain"])
    os.makedirs(os.path.dirname(where), mode=0o700, exist_ok=True)
    try:
        records.write(where, receipt)
        files.sync(folder)
    except OSError as error:
        what = "receipt {} cannot be written: {}; nothing was moved without it, make room and run this again"
        raise StepError(what.format(where, error.strerror)) from None
    return receipt


def need(folder: str, run: str, domain: str) -> Receipt:
    """The receipt of a run for a domain. Raises StepError when there is none."""
    receipt = read(folder, run, domain)
    if receipt is None:
        what = "no receipt of run {} for {}: nothing of its disks was kept here ({} is not there)"
        raise StepError(what.format(run, domain, path(folder, run, domain)))
    return receipt


def told(receipt: Receipt) -> Receipt:
    """What may leave this node, and go into a journal: everything but passwords."""
    return {key: value for key, value in receipt.items() if key != SECRET}


def own(folder: str, given: Receipt, node: str) -> Receipt:
    """The node's own receipt where it is there, else the one that was given. Raises StepError when they speak of other disks."""
    for needed in ("run", "domain", "node", "disks", "state"):
        if needed not in given:
            raise StepError("this is no receipt of kept disks: it has no {}".format(needed))
    if given["node"] != node:
        what = "the receipt of run {run} for {domain} is of node {node}, and this is {here}: send it there"
        raise StepError(what.format(here=node, **given))
    held = read(folder, given["run"], given["domain"])
    if held is None:
        return dict(given, disks=[dict(disk) for disk in given["disks"]])
    if not _same(held, given):
        what = "the receipt of run {} for {} that was given speaks of other disks than {}: find out which is right before anything goes back"
        raise StepError(what.format(given["run"], given["domain"], path(folder, given["run"], given["domain"])))
    return held


def _same(held: Receipt, given: Receipt) -> bool:
    """The same files; sizes and hashes where both have them: what is told may be older than what is held."""
    if len(held["disks"]) != len(given["disks"]):
        return False
    pairs = list(zip(held["disks"], given["disks"]))
    both = [(a, b) for a, b in pairs if given["state"] != INTENDED]
    return all(a[key] == b[key] for a, b in pairs for key in FACTS) and all(
        a["size"] == b["size"] and (not a["sha256"] or not b["sha256"] or a["sha256"] == b["sha256"]) for a, b in both
    )
