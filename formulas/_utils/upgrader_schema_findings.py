"""What is wrong with an upgraded copy of one of the five services, compared with the snapshot. Pure: counts in, findings out."""

import typing

from upgrader_nova_findings import Counts, Finding, finding

EQUAL, FEWER, MORE, ANY = "equal", "fewer", "more", "any"
# Tables of which an upgrade may rightly change the rows; measured with the tools of facts/openstack.md. All others must
# be there with the rows they had.
RULES: typing.Mapping[str, typing.Mapping[str, str]] = {
    "keystone": {},
    "glance": {},
    "cinder": {},
    "neutron": {},
    "heat": {},
}
# Renamed or dropped by the upgrade: table -> the one that has its rows now, or "".
MOVED: typing.Mapping[str, typing.Mapping[str, str]] = {
    "keystone": {},
    "glance": {},
    "cinder": {},
    "neutron": {},
    "heat": {},
}


def source_name(copy: str) -> str:
    """The database that a copy was made of."""
    return copy.replace("_upgrade", "", 1)


def compare_counts(service: str, copy: str, expected: Counts, actual: Counts) -> typing.List[Finding]:
    """Every table of the snapshot against the copy."""
    source = source_name(copy)
    if source not in expected:
        known = ", ".join(sorted(expected)) or "none"
        return [finding(source, "is not among the snapshot's counts ({0})".format(known), "take the counts again")]
    found = []
    for table, counts in sorted(expected[source].items()):
        total, place = counts["total"] or 0, MOVED[service].get(table, table)
        now = actual.get(copy, {}).get(place)
        name = "{0}.{1}".format(copy, place or table)
        if now is None:
            if place:
                found.append(
                    finding(name, "is gone; the snapshot has it", "fill the clone again and repeat the upgrade")
                )
        elif not _fits(RULES[service].get(place, EQUAL), total, now["total"] or 0):
            what = "has {0} rows, the snapshot says {1}".format(now["total"], total)
            found.append(finding(name, what, "look at the table before anybody uses this copy"))
    return found


def _fits(rule: str, total: int, now: int) -> bool:
    return {EQUAL: now == total, FEWER: now <= total, MORE: now >= total, ANY: True}[rule]


def unfinished(service: str, phase: str, left: str) -> Finding:
    """A phase that is not done; those after it are not asked, for they build on it."""
    return finding(
        "phase {0}".format(phase), "is not done: {0}".format(left), "run phase {0} of {1}".format(phase, service)
    )
