"""The receipt of a kept member, beside its data directory: whose moment its files hold, and how far the way back or forward is.

It is written before anything is done and again when it is done, so that a call that is cut off anywhere can be taken up. The
files themselves are never copied: what the receipt says of them is their position in the cluster's history and a fingerprint.
"""

import glob
import hashlib
import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.restore import service_control
from upgrader_node.restore import swap as folders

Receipt = typing.Dict[str, typing.Any]
SCHEMA = 1
# Intended: the server may run yet. Founding and rejoining: the files may have moved on. Replaced: a restore put others there.
INTENDED, KEPT, FOUNDING, BACK, REJOINING, REJOINED, REPLACED = (
    "intended", "kept", "founding", "back", "rejoining", "rejoined", "replaced",
)  # fmt: skip
STANDING = (KEPT, FOUNDING, REJOINING)
OWN_STATE = (folders.GALERA_STATE, "gvwstate.dat")
WORDS = (".err", ".log", ".pid")
FALLBACK = "go back by a proven backup instead: 'upgrader backup restore ID' ('upgrader backup list' names them)"


def path(datadir: str, run: str) -> str:
    """Where the receipt is. Raises StepError for a run that is no plain name: it becomes part of paths."""
    records.plain(run)
    return "{}.kept-{}.json".format(datadir, run)


def read(datadir: str, run: str) -> typing.Optional[Receipt]:
    """The receipt of a run, or None where it kept nothing here. Raises StepError when it cannot be read."""
    return records.read(path(datadir, run), "write the one from the run's journal there")


def need(datadir: str, kept: typing.Mapping[str, typing.Any]) -> Receipt:
    """The node's own receipt of the kept member that a plan names. Raises StepError when they speak of different moments."""
    receipt = read(datadir, str(kept["id"]))
    if receipt is None or receipt["state"] == INTENDED:
        what = "run {} keeps no member on this node ({} is not there, or says so): {}"
        raise StepError(what.format(kept["id"], path(datadir, str(kept["id"])), FALLBACK))
    if _position(receipt) != _position(kept):
        what = "receipt {} is of position {}:{}, the journal of run {} says {}:{}: find out which is right before anything goes back"
        where = path(datadir, str(kept["id"]))
        raise StepError(what.format(where, *_position(receipt), kept["id"], *_position(kept)))
    return receipt


def write(datadir: str, receipt: Receipt, **changed: typing.Any) -> Receipt:
    """The receipt with ``changed`` in it, on disk when this returns: the old one or the new one, whole."""
    receipt = {"schema": SCHEMA, **receipt, **changed}
    where = path(datadir, receipt["id"])
    try:
        records.write(where, receipt)
    except OSError as error:
        what = "receipt {} cannot be written: {}; nothing is done without it, make room and run this again"
        raise StepError(what.format(where, error.strerror)) from None
    return receipt


def standing(datadir: str, states: typing.Sequence[str] = STANDING) -> typing.List[Receipt]:
    """The receipts of this node by which somebody may still go back, or is on the way."""
    head, tail = datadir + ".kept-", ".json"
    runs = [found[len(head) : -len(tail)] for found in sorted(glob.glob(glob.escape(head) + "*" + tail))]
    held = [read(datadir, run) for run in runs if records.RUN.match(run)]
    return [one for one in held if one is not None and one["state"] in states]


def of_another_run(datadir: str, run: str) -> str:
    """Which run keeps this node's member, in a sentence's end; empty when none but ``run`` does."""
    others = [one["id"] for one in standing(datadir) if one["id"] != run]
    return "is the kept member of run {}".format(others[0]) if others else ""


def remedy(run: str) -> str:
    """How a member that is kept gets free."""
    return "go back with 'upgrader backup back {0}', or give it back to the cluster with 'upgrader backup rejoin {0}'".format(
        run
    )


def refuse_kept(node: str, datadir: str) -> None:
    """For whoever is about to count on this member: it stands still on purpose, and starting it would lose the way back."""
    for receipt in standing(datadir):
        raise StepError("{} is the kept member of run {}: {}".format(node, receipt["id"], remedy(receipt["id"])))


def replaced(datadir: str, run: str, unit: service_control.Server) -> None:
    """A restore has put other files there: whatever was kept here is in ``<datadir>.before-RUN`` now, and no way back by itself."""
    for receipt in standing(datadir):
        if receipt["enabled"]:
            service_control.at_boot(unit, True)
        write(datadir, receipt, state=REPLACED, back=run)


def fingerprint(datadir: str) -> str:
    """A hash over name, size and time of every file: a server that ran on them, for however short a time, changed it.

    Galera's own state is left out, which is compared by its words, and so are logs.
    """
    digest = hashlib.sha256()
    for where, inner, names in os.walk(datadir):
        inner.sort()
        for name in sorted(names):
            if name.endswith(WORDS) or (where == datadir and name in OWN_STATE):
                continue
            full = os.path.join(where, name)
            found = os.lstat(full)
            line = "{}\0{}\0{}\n".format(os.path.relpath(full, datadir), found.st_size, found.st_mtime_ns)
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def saved_position(datadir: str) -> typing.Tuple[str, int]:
    """(uuid, seqno) of a stopped server by its grastate.dat; ("", -1) where it does not say."""
    saved = folders.saved_state(datadir)
    seqno = saved.get("seqno", "")
    return saved.get("uuid", ""), int(seqno) if seqno.lstrip("-").isdigit() else -1


def _position(receipt: typing.Mapping[str, typing.Any]) -> typing.Tuple[str, int]:
    return str(receipt["galera"]["uuid"]), int(receipt["galera"]["seqno"])
