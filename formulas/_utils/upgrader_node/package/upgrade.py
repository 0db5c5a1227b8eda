"""A node's packages brought to exactly the versions that were approved, whatever cut the call before.

The receipt is on disk before apt is asked for anything: what was approved, each version before, and which packages were there as
a dependency only. From then on it alone says what is to be done; dpkg's own state says what of it is. Hold ``lock.PACKAGES``.
"""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import some
from upgrader_node.package import apt, difference, dpkg, repositories, selection, starts
from upgrader_node.package.difference import DOWNGRADE, HELD, INSTALL, REMOVE, Answer, Row
from upgrader_node.package.selection import Wish
from upgrader_node.release.path import NodePackages

FOLDER = "/var/lib/upgrader/package"
SECONDS = 3600.0
INTENDED, DONE, RETURNING, RETURNED = "intended", "done", "returning", "returned"
REMEDY = "it holds the versions to go back to: put it back from a backup of this node"
Goals = typing.Mapping[str, str]


def path_of(run: str, folder: str = FOLDER) -> str:
    """The receipt of a run. Raises StepError for a run that is no plain name."""
    return os.path.join(folder, records.plain(str(run)) + ".json")


def need(run: str, folder: str = FOLDER) -> records.Receipt:
    """The receipt of a run. Raises StepError when it has none on this node."""
    held = records.read(path_of(run, folder), REMEDY)
    if held is None:
        what = "run {} upgraded no package on this node ({} is not there)"
        raise StepError(what.format(run, path_of(run, folder)))
    return held


def upgrade(
    data: NodePackages, run: str, approved: str, wanted: Wish, allow: typing.Sequence[str], folder: str = FOLDER
) -> Answer:
    """Do what was approved by its digest. Raises StepError when it would be something else now, or did not come about."""
    held = records.read(path_of(run, folder), REMEDY) or _intend(data, run, approved, wanted, allow, folder)
    if held["digest"] != approved:
        what = "run {} began on this node with another package difference ({} and not {}): finish that, or restore it"
        raise StepError(what.format(run, held["digest"][:12], approved[:12]))
    if held["state"] in (RETURNING, RETURNED):
        raise StepError("run {} took this node's packages back: upgrade it by another run".format(run))
    goals = {str(row["name"]): str(row["to"]) for row in acted(held)}
    left = short_of(goals, dpkg.read())
    if left:
        reach(run, held, goals, folder)
    starts.release()
    records.write(path_of(run, folder), dict(held, state=DONE))
    words = "{}: {}".format("upgraded" if left else "already as approved", difference.said(held["packages"]))
    return {
        "comment": words,
        "changed": bool(left),
        "receipt": path_of(run, folder),
        "packages": sorted(goals),
        "kept": kept_files(path_of(run, folder)[: -len(".json")] + ".log"),
    }


def _intend(
    data: NodePackages, run: str, approved: str, wanted: Wish, allow: typing.Sequence[str], folder: str
) -> records.Receipt:
    """Look again, refuse what was not approved, and write down what is there."""
    apt.refresh()
    rows, touched = difference.look(data, wanted)
    if difference.digest(rows) != approved:
        what = (
            "the package difference of this node is not the approved one any more ({}): look at it and approve it anew"
        )
        raise StepError(what.format(difference.said(rows)))
    if touched:
        what = "{} would be changed, which an upgrade leaves alone: include {}, or correct the package sources"
        raise StepError(what.format(some(sorted(touched), 10), ", ".join(sorted(set(touched.values())))))
    _demand_allowed(rows, allow)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    receipt = {
        "run": run,
        "state": INTENDED,
        "digest": approved,
        "packages": rows,
        "automatic": apt.automatic(),
        "sources": difference.sources(),
        "archive": repositories.record(run)["archive"],
    }
    records.write(path_of(run, folder), receipt)
    return receipt


def _demand_allowed(rows: typing.Sequence[Row], allow: typing.Sequence[str]) -> None:
    names = [str(row["name"]) for row in rows if row["action"] in (REMOVE, DOWNGRADE)]
    refused = [name for name in names if not selection.matches(name, allow)]
    if refused:
        what = "{} would be removed or downgraded: allow each by name where that is meant"
        raise StepError(what.format(some(refused, 10)))


def acted(receipt: records.Receipt) -> typing.List[Row]:
    """The packages that the run changes."""
    return [row for row in receipt["packages"] if row["action"] != HELD]


def short_of(goals: Goals, packages: dpkg.Packages) -> typing.List[str]:
    """What is not as it should be, in words. A goal of "" is a package that is not to be there."""
    wrong = dpkg.broken(packages)
    for name, to in sorted(goals.items()):
        one = packages.get(name)
        if to and not (one and one.version == to and not one.gone):
            there = "at {}".format(one.version) if one and not one.gone else "not there"
            wrong.append("{} is {} instead of {}".format(name, there, to))
        elif not to and one and not one.gone:
            wrong.append("{} is still there".format(name))
    return wrong


def reach(run: str, receipt: records.Receipt, goals: Goals, folder: str = FOLDER) -> None:
    """Bring these packages to these versions, and no other one. Raises StepError with what is not there afterwards, and why."""
    log = path_of(run, folder)[: -len(".json")] + ".log"
    with starts.refused():
        apt.configure(log, SECONDS)  # what it could not do is seen in the end
        wanted = _wanted(goals, dpkg.read())
        said = None
        if wanted:
            _demand_only(apt.simulate(wanted), goals)
            said = apt.install(wanted, log, SECONDS)
        _mark(receipt)
    wrong = short_of(goals, dpkg.read())
    if wrong or (said is not None and said.code):
        why = apt.cause(said) if said is not None and said.code else "apt said no word of it"
        what = "{}; {}. See {} on this node; once that is mended, 'upgrader resume' goes on from here"
        raise StepError(what.format(some(wrong) or "all packages are there and apt ended with an error", why, log))


def _wanted(goals: Goals, packages: dpkg.Packages) -> typing.List[str]:
    """Words for apt: what is not there yet by its exact version. One that dpkg left half done is named again."""
    words = []
    for name, to in sorted(goals.items()):
        one = packages.get(name)
        if to and not (one and one.whole and one.version == to):
            words.append("{}={}".format(name, to))
        elif not to and one and not one.gone:
            words.append(name + "-")
    return words


def _demand_only(changes: typing.Sequence[apt.Change], goals: Goals) -> None:
    """Raises StepError when apt would do more than was approved: the sources have changed since."""
    other = ["{} to {}".format(one.name, one.to or "nothing") for one in changes if goals.get(one.name, one) != one.to]
    if other:
        what = "apt would change {} besides, which nobody approved: the sources have changed since, or packages are missing there"
        raise StepError(what.format(some(other, 10)))


def _mark(receipt: records.Receipt) -> None:
    """A dependency stays one though apt was given its name; a new package is one."""
    before = set(receipt["automatic"])
    apt.mark_automatic(
        [str(row["name"]) for row in acted(receipt) if row["action"] == INSTALL or row["name"] in before]
    )


def kept_files(log: str) -> typing.List[str]:
    """Configuration files of which the package has a newer one, and which stayed as they were."""
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    return sorted({line.split("'")[1] for line in lines if line.startswith("Configuration file '")})
