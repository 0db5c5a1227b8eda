"""A node's packages back at the versions that a run found, from the sources that it had then, and what stands of a run now."""

import typing

from upgrader_node.host import records
from upgrader_node.host.findings import BLOCKER, WARNING, of_node, some
from upgrader_node.package import apt, dpkg, repositories, starts, upgrade
from upgrader_node.package.difference import Answer
from upgrader_node.package.upgrade import DONE, FOLDER, RETURNED, RETURNING, path_of


def restore(run: str, folder: str = FOLDER) -> Answer:
    """Exact versions, and what the run installed is taken away again. Raises StepError when one cannot be had any more."""
    held = records.read(path_of(run, folder), upgrade.REMEDY)
    moved = repositories.put_back(run) if repositories.recorded(run) else []
    if held is None:
        words = "run {} upgraded no package on this node; {}".format(run, repositories.said(moved))
        return {"comment": words, "changed": bool(moved), "packages": []}
    goals = before(held)
    left = upgrade.short_of(goals, dpkg.read())
    if left:
        records.write(path_of(run, folder), dict(held, state=RETURNING))
        apt.refresh()
        upgrade.reach(run, held, goals, folder)
    starts.release()
    records.write(path_of(run, folder), dict(held, state=RETURNED))
    words = "{} packages back at their versions".format(len(goals)) if left else "every package is at its old version"
    return {
        "comment": "{}; {}".format(words, repositories.said(moved)),
        "changed": bool(left or moved),
        "receipt": path_of(run, folder),
        "packages": sorted(goals),
    }


def before(receipt: records.Receipt) -> typing.Dict[str, str]:
    """The version of each package that the run changes; "" for one that was not there."""
    return {str(row["name"]): str(row["from"]) for row in upgrade.acted(receipt)}


def check(run: str, node: str, folder: str = FOLDER) -> Answer:
    """Whether all that the run was approved for is there, by findings. Changes nothing."""
    held = upgrade.need(run, folder)
    back = held["state"] in (RETURNING, RETURNED)
    goals = before(held) if back else {str(row["name"]): str(row["to"]) for row in upgrade.acted(held)}
    wrong = upgrade.short_of(goals, dpkg.read())
    found = [of_node(node, "has not all packages: {}".format(some(wrong, 10)), "'upgrader resume' goes on", BLOCKER)]
    ours = "still refuses to start services ({})".format(starts.PLACE)
    left = [of_node(node, ours, "'upgrader resume' goes on and takes it away", WARNING)] if starts.ours() else []
    whole = "all {} packages are at their {} versions".format(len(goals), "old" if back else "approved")
    return {
        "comment": some(wrong, 10) if wrong else whole,
        "state": held["state"],
        "done": not wrong and held["state"] in (DONE, RETURNED),
        "findings": (found if wrong else []) + left,
    }
