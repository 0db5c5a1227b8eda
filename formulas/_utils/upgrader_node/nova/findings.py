"""What is wrong with an upgraded copy, compared with the snapshot it came from. Pure: counts in, findings out."""

import typing

from upgrader_node.host.findings import INFO, Finding, finding
from upgrader_node.schema.findings import Counts

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


def source_names(main: str) -> typing.Dict[str, str]:
    """``{clone: source}`` of the two databases that come from the snapshot."""
    source = main.replace("_upgrade", "", 1)
    return {main: source, main + "_api": source + "_api"}


def check_versions(
    versions: typing.Mapping[str, typing.Optional[int]], wanted: typing.Mapping[str, int]
) -> typing.List[Finding]:
    """One finding for each schema that is not exactly where the target release has it."""
    return [
        finding(
            "schema {0}".format(role),
            "is at {0} instead of {1}".format(versions.get(role), version),
            "run phase {0} of nova".format("api-db" if role == "api" else "db"),
        )
        for role, version in sorted(wanted.items())
        if versions.get(role) != version
    ]


def check_cells(
    names: typing.Sequence[str],
    mappings: typing.Mapping[str, int],
    hosts: typing.Sequence[str],
    wanted: typing.Sequence[str],
) -> typing.List[Finding]:
    """Cells, host mappings and instance mappings."""
    wrong = []
    if sorted(names) != list(wanted):
        wrong.append(
            finding(
                "cells",
                "are {0} instead of {1}".format(", ".join(names) or "none", " and ".join(wanted)),
                "run map_cell0 and create_cell",
            )
        )
    if hosts:
        wrong.append(
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
            wrong.append(finding("instances", "{0} {1}".format(mappings[key], what), "run map_instances"))
    return wrong


def check_rows(left: typing.Mapping[str, int], broken_groups: int) -> typing.List[Finding]:
    """Rows that the online migrations should have moved or made."""
    wrong = [
        finding(word, "{0} are left".format(count), "run online_data_migrations until nothing is left")
        for word, count in sorted(left.items())
        if count
    ]
    if broken_groups:
        wrong.append(
            finding(
                "request specs",
                "{0} name a server group without uuid".format(broken_groups),
                "run the server-group repair",
            )
        )
    return wrong


def compare_counts(
    main: str,
    expected: Counts,
    actual: Counts,
    own_services: int = 0,
    strays: typing.Optional[typing.Mapping[str, int]] = None,
) -> typing.List[Finding]:
    """Every table of the snapshot against the copy, by the rules of the tables that the upgrade moves.

    ``own_services`` are rows that this node's own nova services added to the copy after it was made; ``strays`` live rows of
    deleted parents, by table, which stay where they are.
    """
    wrong = []
    for clone, source in sorted(source_names(main).items()):
        if source not in expected:
            wrong.append(
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
                wrong.append(
                    finding(
                        "{0}.{1}".format(clone, table),
                        "is gone; the snapshot has it",
                        "fill the clone again and repeat the upgrade",
                    )
                )
            else:
                more = {"strays": (strays or {}).get(table, 0), "own_services": own_services}
                wrong.extend(_compare(clone, table, counts, now, main, actual, **more))
    return wrong


def _compare(
    clone: str,
    table: str,
    counts: typing.Mapping[str, typing.Optional[int]],
    now: typing.Mapping[str, typing.Optional[int]],
    main: str,
    actual: Counts,
    strays: int,
    own_services: int,
) -> typing.List[Finding]:
    name, total, live = "{0}.{1}".format(clone, table), counts["total"] or 0, counts["live"]
    if clone != main:
        return _compare_api(name, table, total, now["total"] or 0)
    if table == "services":
        slack = (now["total"] or 0) - total
        return [] if 0 <= slack <= own_services else [_differs(name, "rows", total, now["total"])]
    wrong = [] if now["total"] == total else [_differs(name, "rows", total, now["total"])]
    if table not in MOVED:
        return wrong + ([] if now["live"] == live else [_differs(name, "live rows", live, now["live"])])
    return wrong + _moved(name, table, live or 0, now["live"], main, actual, strays)


def _moved(
    name: str,
    table: str,
    live: int,
    now: typing.Optional[int],
    main: str,
    actual: Counts,
    strays: int,
) -> typing.List[Finding]:
    """Live rows of living parents have moved; those of deleted ones stay, and are worth a note."""
    wrong, (api_table, emptied) = [], MOVED[table]
    left = strays if emptied else live
    if now != left:
        wrong.append(_differs(name, "live rows", left, now))
    moved = (actual.get(main + "_api", {}).get(api_table) or {}).get("total")
    if moved != live - strays:
        what = "rows moved from {0}".format(table)
        wrong.append(_differs("{0}_api.{1}".format(main, api_table), what, live - strays, moved))
    if strays:
        what = "has {0} live rows of parents that are deleted; they stay where they are".format(strays)
        wrong.append(finding(name, what, "nothing is lost by it: nobody sees them, before as after", INFO))
    return wrong


def _compare_api(name: str, table: str, total: int, now: int) -> typing.List[Finding]:
    if table == "build_requests":
        return [] if now <= total else [_differs(name, "rows", total, now)]
    if table in MADE or table in [api_table for api_table, _ in MOVED.values()]:
        return [] if now >= total else [_differs(name, "rows", total, now)]
    return [] if now == total else [_differs(name, "rows", total, now)]


def _differs(subject: str, what: str, wanted: typing.Optional[int], counted: typing.Optional[int]) -> Finding:
    return finding(
        subject,
        "has {0} {1}, the snapshot says {2}".format(counted, what, wanted),
        "look at the table before anybody uses this copy",
    )
