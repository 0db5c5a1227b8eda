"""What an upgrade of this node's packages would do, and the digest by which that is approved."""

import glob
import hashlib
import json
import typing

from upgrader_node.errors import StepError, redact
from upgrader_node.host.findings import BLOCKER, WARNING, Findings, of_node, some
from upgrader_node.package import apt, dpkg, selection
from upgrader_node.package.selection import Wish
from upgrader_node.release.path import NodePackages

UPGRADE, INSTALL, REMOVE, DOWNGRADE, HELD = "upgrade", "install", "remove", "downgrade", "held"
LISTS = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources")
Row = typing.Dict[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


def take(data: NodePackages, node: str, wanted: Wish) -> Answer:
    """Refresh the lists and simulate. Changes nothing but the lists. Raises StepError for a source that does not answer."""
    apt.refresh()
    rows, touched = look(data, wanted)
    return {
        "comment": said(rows),
        "digest": digest(rows),
        "packages": rows,
        "sources": sources(),
        "findings": _findings(node, rows, touched),
    }


def look(data: NodePackages, wanted: Wish) -> typing.Tuple[typing.List[Row], typing.Dict[str, str]]:
    """The rows of the difference by the lists that are there, and the packages kept apart that it touches, with their group."""
    installed = dpkg.read()
    dpkg.demand_whole(installed)
    names = selection.chosen(data, installed, wanted)
    newest = apt.candidates(names)
    # What has nothing newer is not named: apt would keep it at any price, also where a newer one of another takes its place.
    moving = [installed[name] for name in names if newest.get(name, "") not in ("", installed[name].version)]
    changes = apt.simulate([one.name for one in moving if not one.held])
    size = apt.sizes(changes)
    rows = [_row(one, size) for one in changes] + [_held(one, newest[one.name]) for one in moving if one.held]
    group = selection.apart(data, wanted)
    touched = {row["name"]: group(row["name"]) for row in rows if row["action"] != HELD and group(row["name"])}
    return sorted(rows, key=lambda row: str(row["name"])), touched


def _row(change: apt.Change, size: typing.Mapping[str, int]) -> Row:
    return {
        "name": change.name,
        "from": change.before,
        "to": change.to,
        "size": size.get(change.name.split(":")[0], 0) if change.to else 0,
        "action": _action(change),
    }


def _action(change: apt.Change) -> str:
    if not change.to:
        return REMOVE
    if not change.before:
        return INSTALL
    return DOWNGRADE if dpkg.older(change.to, change.before) else UPGRADE


def _held(one: dpkg.Package, newest: str) -> Row:
    """One that somebody told dpkg to hold, though there is another version to be had."""
    return {"name": one.name, "from": one.version, "to": newest, "size": 0, "action": HELD}


def digest(rows: typing.Sequence[Row]) -> str:
    """Of what is done: names, versions and actions. Sizes are not part of it."""
    held = [[row["name"], row["from"], row["to"], row["action"]] for row in rows]
    return hashlib.sha256(json.dumps(sorted(held)).encode("utf-8")).hexdigest()


def said(rows: typing.Sequence[Row]) -> str:
    """``12 to upgrade, 2 to install, 1 held``."""
    actions = [str(row["action"]) for row in rows]
    words = ["{} {}".format(actions.count(one), one if one == HELD else "to " + one) for one in dict.fromkeys(actions)]
    size = sum(row["size"] for row in rows)
    return "{}; {:.1f} MB to fetch".format(", ".join(words), size / 1e6) if words else "nothing to do"


def _findings(node: str, rows: typing.Sequence[Row], touched: typing.Mapping[str, str]) -> Findings:
    found = [_apart(node, touched)] if touched else []
    for action, remedy in (
        (REMOVE, "allow each by name, or find out what conflicts with it"),
        (DOWNGRADE, "allow each by name, or look at the priorities of the sources ('apt-cache policy NAME')"),
        (HELD, "it stays as it is: 'apt-mark unhold NAME' where it is to be upgraded with the others"),
    ):
        names = [str(row["name"]) for row in rows if row["action"] == action]
        if names:
            words = "keeps {} held" if action == HELD else "would {} {{}}".format(action)
            found.append(of_node(node, words.format(some(names, 10)), remedy, WARNING, rows=names))
    return found


def _apart(node: str, touched: typing.Mapping[str, str]) -> Answer:
    groups = sorted(set(touched.values()))
    what = "would change {}, which an upgrade leaves alone".format(some(sorted(touched), 10))
    remedy = "include {} where that is meant (instances and traffic may feel it), or correct the package sources"
    return of_node(node, what, remedy.format(", ".join(groups)), BLOCKER, rows=sorted(touched))


def sources() -> typing.List[str]:
    """The lines by which apt finds its sources, without passwords; of a file in the newer form its name."""
    found = []
    for path in sorted(path for pattern in LISTS for path in glob.glob(pattern)):
        if path.endswith(".sources"):
            found.append(path)
            continue
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = [" ".join(line.split()) for line in file]
        except OSError as error:
            raise StepError("{} cannot be read: {}".format(path, error.strerror)) from None
        found += [redact(line) for line in lines if line.startswith(("deb ", "deb-src "))]
    return found
