"""What is wrong with an upgraded copy, compared with the snapshot it came from. Pure: counts in, findings out."""

import typing

Finding = typing.Dict[str, str]
Counts = typing.Mapping[str, typing.Mapping[str, typing.Mapping[str, typing.Optional[int]]]]
BLOCKER, WARNING = "blocker", "warning"

# Tables whose live rows Newton and Ocata move to the API database: main table -> (API table, main rows are soft-deleted).
# nova leaves the hosts of a moved aggregate live in the main database; measured with 15.1.5.
MOVED = {
    "instance_types": ("flavors", True),
    "instance_type_extra_specs": ("flavor_extra_specs", True),
    "instance_type_projects": ("flavor_projects", True),
    "key_pairs": ("key_pairs", True),
    "aggregates": ("aggregates", True),
    "aggregate_metadata": ("aggregate_metadata", True),
    "aggregate_hosts": ("aggregate_hosts", False),
    "instance_groups": ("instance_groups", True),
    "instance_group_policy": ("instance_group_policy", True),
    "instance_group_member": ("instance_group_member", True),
}
# API tables that the upgrade fills from something else than a table of the same rows; other questions prove them.
MADE = ("cell_mappings", "host_mappings", "instance_mappings", "request_specs", "build_requests")
API_SERVICES = ("nova-osapi_compute", "nova-ec2", "nova-metadata")


def finding(subject: str, what: str, remedy: str, severity: str = BLOCKER) -> Finding:
    return {"severity": severity, "subject": subject, "what": what, "remedy": remedy}


def source_names(main: str) -> typing.Dict[str, str]:
    """``{clone: source}`` of the two databases that come from the snapshot."""
    source = main.replace("_upgrade", "", 1)
    return {main: source, main + "_api": source + "_api"}


def check_versions(
    found: typing.Mapping[str, typing.Optional[int]], wanted: typing.Mapping[str, int]
) -> typing.List[Finding]:
    """One finding for each schema that is not exactly where the target release has it."""
    return [
        finding(
            "schema {0}".format(role),
            "is at {0} instead of {1}".format(found.get(role), version),
            "run api_db_sync to {0}".format(version) if role == "api" else "run db_sync to {0}".format(version),
        )
        for role, version in sorted(wanted.items())
        if found.get(role) != version
    ]


def check_cells(
    names: typing.Sequence[str], mappings: typing.Mapping[str, int], hosts: typing.Sequence[str]
) -> typing.List[Finding]:
    """Cells, host mappings and instance mappings."""
    found = []
    if sorted(names) != ["cell0", "cell1"]:
        found.append(
            finding(
                "cells",
                "are {0} instead of cell0 and cell1".format(", ".join(names) or "none"),
                "run map_cell0 and create_cell",
            )
        )
    if hosts:
        found.append(
            finding(
                "compute hosts",
                "{0} have no mapping: {1}".format(len(hosts), ", ".join(hosts[:10])),
                "run discover_hosts",
            )
        )
    for key, what in (
        ("unmapped", "have no mapping"),
        ("without cell", "are mapped to no cell"),
        ("markers", "mark an unfinished walk"),
    ):
        if mappings[key]:
            found.append(finding("instances", "{0} {1}".format(mappings[key], what), "run map_instances"))
    return found


def check_rows(left: typing.Mapping[str, int], broken_groups: int) -> typing.List[Finding]:
    """Rows that the online migrations should have moved or made."""
    found = [
        finding(word, "{0} are left".format(count), "run online_data_migrations until nothing is left")
        for word, count in sorted(left.items())
        if count
    ]
    if broken_groups:
        found.append(
            finding(
                "request specs",
                "{0} name a server group without uuid".format(broken_groups),
                "run the server-group repair",
            )
        )
    return found


def compare_counts(main: str, expected: Counts, actual: Counts, own_services: int = 0) -> typing.List[Finding]:
    """Every table of the snapshot against the copy, by the rules of the tables that the upgrade moves.

    ``own_services`` are rows that this node's own nova services added to the copy after it was made.
    """
    found = []
    for clone, source in sorted(source_names(main).items()):
        if source not in expected:
            found.append(
                finding(
                    source,
                    "is not among the snapshot's counts ({0})".format(", ".join(sorted(expected))),
                    "take the counts again",
                )
            )
            continue
        for table, counts in sorted(expected[source].items()):
            now = actual.get(clone, {}).get(table)
            if now is None:
                found.append(
                    finding(
                        "{0}.{1}".format(clone, table),
                        "is gone; the snapshot has it",
                        "fill the clone again and repeat the upgrade",
                    )
                )
            else:
                found.extend(_compare(clone, table, counts, now, main, expected[source], actual, own_services))
    return found


def _compare(
    clone: str,
    table: str,
    counts: typing.Mapping[str, typing.Optional[int]],
    now: typing.Mapping[str, typing.Optional[int]],
    main: str,
    expected: typing.Mapping[str, typing.Mapping[str, typing.Optional[int]]],
    actual: Counts,
    own_services: int,
) -> typing.List[Finding]:
    name, total, live = "{0}.{1}".format(clone, table), counts["total"] or 0, counts["live"]
    if clone != main:
        return _compare_api(name, table, total, now["total"] or 0)
    if table == "services":
        slack = (now["total"] or 0) - total
        return [] if 0 <= slack <= own_services else [_differs(name, "rows", total, now["total"])]
    found = [] if now["total"] == total else [_differs(name, "rows", total, now["total"])]
    if table not in MOVED:
        return found + ([] if now["live"] == live else [_differs(name, "live rows", live, now["live"])])
    api_table, emptied = MOVED[table]
    left = 0 if emptied else live
    if now["live"] != left:
        found.append(_differs(name, "live rows", left, now["live"]))
    moved = (actual.get(main + "_api", {}).get(api_table) or {}).get("total")
    if moved != live:
        found.append(_differs("{0}_api.{1}".format(main, api_table), "rows moved from {0}".format(table), live, moved))
    return found


def _compare_api(name: str, table: str, total: int, now: int) -> typing.List[Finding]:
    if table == "build_requests":
        return [] if now <= total else [_differs(name, "rows", total, now)]
    if table in MADE or table in [api_table for api_table, _ in MOVED.values()]:
        return [] if now >= total else [_differs(name, "rows", total, now)]
    return [] if now == total else [_differs(name, "rows", total, now)]


def _differs(subject: str, what: str, wanted: typing.Optional[int], found: typing.Optional[int]) -> Finding:
    return finding(
        subject,
        "has {0} {1}, the snapshot says {2}".format(found, what, wanted),
        "look at the table before anybody uses this copy",
    )


def summary(found: typing.Sequence[Finding], first: int = 5) -> str:
    """The blockers in one sentence: how many, and the first few with their remedy."""
    blockers = [item for item in found if item["severity"] == BLOCKER]
    shown = ["{subject} {what} ({remedy})".format(**item) for item in blockers[:first]]
    more = "" if len(blockers) <= first else "; and {0} more".format(len(blockers) - first)
    return "{0} finding(s): {1}{2}".format(len(blockers), "; ".join(shown), more)
