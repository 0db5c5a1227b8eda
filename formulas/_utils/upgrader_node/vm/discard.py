"""What runs kept of disks, how much room it takes, and its end, by the operator's last word. The only place that deletes a disk.

A file goes only while it is the very one that the receipt names and no domain of this node needs it.
"""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.vm import finding, moving, receipts, survey
from upgrader_node.vm.receipts import Receipt

Answer = typing.Dict[str, typing.Any]
# Of each state: the names in a disk's record that hold a file which nobody needs when that state is the last one.
LEFT = {
    receipts.KEPT: (("kept", "inode"),),
    receipts.RETURNED: (("replaced", "replaced_inode"), ("kept", "kept_inode")),
    receipts.DISCARDED: (("kept", "inode"), ("replaced", "replaced_inode"), ("kept", "kept_inode")),
}


def held(here: finding.Host, run: str) -> Answer:
    """Every file that a run left on this node, with the bytes that it takes. Changes nothing."""
    found = []
    for name in _domains(here, run):
        receipt = receipts.need(here.receipts, run, name)
        found += [
            {"domain": name, "state": receipt["state"], "path": path, "bytes": os.lstat(path).st_blocks * 512}
            for path in _files(receipt)
        ]
    total = sum(one["bytes"] for one in found)
    comment = "run {} holds {} files of {} MB on {}".format(run, len(found), total // 1000000, here.node)
    return {"comment": comment, "bytes": total, "files": found}


def discard(here: finding.Host, given: Receipt) -> Answer:
    """Delete what a receipt kept, or what its way back moved aside; there is no way back by it afterwards. Raises StepError."""
    receipt = receipts.own(here.receipts, given, here.node)
    if receipt["state"] not in LEFT:
        what = "run {run} is in the middle of moving the disks of {domain} (its receipt says {state}): let that call end first"
        raise StepError(what.format(**receipt))
    _require_another(receipt)
    doomed = _files(receipt)
    _require_unused(here, doomed)
    freed = sum(os.lstat(path).st_blocks * 512 for path in doomed)
    # The word first: what a cut leaves of the files is named by the receipt, and nobody can take a half for a way back.
    receipts.write(here.receipts, dict(receipt, state=receipts.DISCARDED))
    for path in doomed:
        os.unlink(path)
        files.sync(os.path.dirname(path))
    comment = "{} files of {} of run {} deleted, {} MB".format(
        len(doomed), receipt["domain"], receipt["run"], freed // 1000000
    )
    return {"comment": comment, "changed": bool(doomed), "bytes": freed, "files": doomed}


def _domains(here: finding.Host, run: str) -> typing.List[str]:
    folder = os.path.dirname(receipts.path(here.receipts, run, "any"))
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name[: -len(".json")] for name in names if name.endswith(".json") and not name.endswith(".new.json"))


def _files(receipt: Receipt) -> typing.List[str]:
    """The files that are there and are those that the receipt means; another one under such a name is somebody else's."""
    found = []
    for disk in receipt["disks"]:
        for name, identity in LEFT.get(receipt["state"], ()):
            path, wanted = disk.get(name, ""), disk.get(identity, 0)
            if path and wanted and moving.inode(path) == wanted and path not in found:
                found.append(path)
    return found


def _require_another(receipt: Receipt) -> None:
    """Something stands in the place of every kept disk; else the kept one is the only one there is."""
    for disk in receipt["disks"]:
        if receipt["state"] == receipts.KEPT and moving.inode(disk["path"]) == 0:
            what = "nothing is in the place of {path}, so {kept} is the only disk of {domain}: put it back, or place a new one first"
            raise StepError(what.format(domain=receipt["domain"], **disk))


def _require_unused(here: finding.Host, paths: typing.Sequence[str]) -> None:
    users = survey.uses(here)
    for path in paths:
        if users.get(path):
            what = "{} on {} is needed by {}: it is no leftover; look at that domain's definition"
            raise StepError(what.format(path, here.node, ", ".join(users[path])))
