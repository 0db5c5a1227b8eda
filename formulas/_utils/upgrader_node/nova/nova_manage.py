"""nova-manage's own words; what it has in common with the other services' tools is in ``service.manage``."""

import re
import typing

from upgrader_node.service.manage import Outcome

# Before the real nova-manage: further arguments come on stdin, because what holds a password must not stand in /proc/*/cmdline.
ARGUMENTS_FROM_STDIN = "import json, sys; sys.argv += [str(word) for word in json.load(sys.stdin)]\n"
HOME = "/var/lib/nova"
CELL0_UNREACHABLE = "ERROR: Could not access cell0."
CELL0_THERE = "Cell0 is already setup"
CELL_THERE = "Cell with the specified transport_url and database_connection combination already exists"
NO_CELL0_YET = "WARNING: cell0 mapping not found - not syncing cell0."
_FAILED_MIGRATION = re.compile(r"Error attempting to run <function (\w+) at ")
_MATCHED = re.compile(r"^(\d+) rows matched query (\w+), (\d+) migrated", re.MULTILINE)
_TABLE_ROW = re.compile(r"^\|\s*(\w+)\s*\|\s*(\d+)\s*\|\s*(\d+)\s*\|\s*$", re.MULTILINE)


class Migrated(typing.NamedTuple):
    """One line of the table that online_data_migrations prints."""

    name: str
    matched: int
    done: int


def cell0_error(outcome: Outcome) -> str:
    """Why cell0 was not synced (nova swallows it and exits 0), or ""."""
    if CELL0_UNREACHABLE not in outcome.stdout:
        return ""
    reasons = [line[len("Error: ") :] for line in outcome.stdout.splitlines() if line.startswith("Error: ")]
    return outcome.shown(reasons[0]) if reasons else CELL0_UNREACHABLE


def failed_migrations(outcome: Outcome) -> typing.List[str]:
    """Online migrations that raised. Nova prints their name, counts them as 0 of 0, logs the exception nowhere and exits 0."""
    return sorted(set(_FAILED_MIGRATION.findall(outcome.stdout)))


def migrated(outcome: Outcome) -> typing.List[Migrated]:
    """The summary table; when the command died before printing it, the lines of each batch summed up."""
    table = [Migrated(name, int(matched), int(done)) for name, matched, done in _TABLE_ROW.findall(outcome.stdout)]
    if table:
        return table
    sums = {}  # type: typing.Dict[str, Migrated]
    for matched, name, done in _MATCHED.findall(outcome.stdout):
        before = sums.get(name, Migrated(name, 0, 0))
        sums[name] = Migrated(name, before.matched + int(matched), before.done + int(done))
    return [sums[name] for name in sorted(sums)]
