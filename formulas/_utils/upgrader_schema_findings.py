"""What is wrong with an upgraded copy of one of the five services, compared with the snapshot. Pure: counts in, findings out."""

import typing

from upgrader_nova_findings import Counts, Finding, finding


class Rule(typing.NamedTuple):
    """What an upgrade may rightly do to the rows of one table; without a rule they are as many as they were.

    ``now`` is the table that has them afterwards. ``gone``: the table may be dropped. ``made_of``: it has as many rows as
    the source has in that table. ``fewer``: some may be lost. ``added``: at most as many are added as the source has in
    those tables. ``more``: any number may be added.
    """

    now: str = ""
    gone: bool = False
    made_of: str = ""
    fewer: bool = False
    added: typing.Tuple[str, ...] = ()
    more: bool = False


GONE, MORE = Rule(gone=True), Rule(more=True)
# Read in the migrations from Mitaka to the last version of the tools of facts/openstack.md, and seen on copies.
RULES: typing.Mapping[str, typing.Mapping[str, Rule]] = {
    "keystone": {
        "domain": GONE,  # its rows have been projects since Mitaka
        "migrate_version": MORE,  # three repositories more
        "project": Rule(added=("identity_provider",)),  # Ocata gives each identity provider a domain
        "token": Rule(fewer=True),
    },
    "glance": dict(
        {
            "artifacts": GONE,
            "artifact_blobs": GONE,
            "artifact_blob_locations": GONE,
            "artifact_dependencies": GONE,
            "artifact_properties": GONE,
            "artifact_tags": GONE,
        },
        **{
            "metadef_" + name: MORE
            for name in ("namespaces", "namespace_resource_types", "objects", "properties", "resource_types", "tags")
        },
    ),
    "cinder": {
        "iscsi_targets": GONE,
        "quota_classes": MORE,  # the default quota of groups
        "services": MORE,  # the copy's own; Mitaka's are only marked as deleted
    },
    "neutron": {
        "alembic_version": MORE,
        "ipamallocationpools": Rule(made_of="ipallocationpools"),
        "ipamallocations": Rule(made_of="ipallocations"),
        "ipamavailabilityranges": GONE,
        "ipamsubnets": Rule(made_of="subnets"),
        "ipavailabilityranges": GONE,
        "ml2_dvr_port_bindings": Rule(now="ml2_distributed_port_bindings"),
        "ml2_network_segments": Rule(now="networksegments"),
        "portdnses": Rule(added=("ports",)),
        "routerports": Rule(added=("ha_router_agent_port_bindings",)),
        "standardattributes": Rule(added=("ml2_network_segments", "qos_policies")),
    },
    "heat": {
        "service": MORE,  # the copy's own; dead ones are only marked as deleted
        "watch_data": GONE,
        "watch_rule": GONE,
    },
}


def source_name(copy: str) -> str:
    """The database that a copy was made of."""
    return copy.replace("_upgrade", "", 1)


def unfinished(service: str, phase: str, left: str) -> Finding:
    """A phase that is not done; those after it are not asked, for they build on it."""
    return finding(
        "phase {0}".format(phase), "is not done: {0}".format(left), "run phase {0} of {1}".format(phase, service)
    )


def gone_on(service: str, phase: str) -> Finding:
    """A copy whose schema nobody can vouch for; filling it again takes minutes."""
    return finding(
        "phase {0}".format(phase),
        "{0}: phase {1} was cut off between two schema changes and gone on with, so its schema may differ".format(
            service, phase
        ),
        "start the stage again with --restart, which fills the copy anew (for a production database, restore the backup)",
    )


def compare_counts(service: str, copy: str, expected: Counts, actual: Counts) -> typing.List[Finding]:
    """Every table of the snapshot against the copy, by the rules of the tables that the upgrade changes."""
    source = source_name(copy)
    if source not in expected:
        known = ", ".join(sorted(expected)) or "none"
        return [finding(source, "is not among the snapshot's counts ({0})".format(known), "take the counts again")]
    totals = {table: counts["total"] or 0 for table, counts in expected[source].items()}
    found = []
    for table in sorted(totals):
        rule = RULES[service].get(table, Rule())
        name = "{0}.{1}".format(copy, rule.now or table)
        counts = actual.get(copy, {}).get(rule.now or table)
        if counts is None and not rule.gone:
            found.append(finding(name, "is gone; the snapshot has it", "fill the clone again and repeat the upgrade"))
        elif counts is not None and not _fits(rule, table, totals, counts["total"] or 0):
            what = "has {0} rows, the snapshot says {1}".format(counts["total"], _wanted(rule, table, totals))
            found.append(finding(name, what, "look at the table before anybody uses this copy"))
    return found


def _range(rule: Rule, table: str, totals: typing.Mapping[str, int]) -> typing.Tuple[int, float]:
    total = totals.get(rule.made_of or table, 0)
    most = float("inf") if rule.more else total + sum(totals.get(other, 0) for other in rule.added)
    return (0 if rule.fewer else total), most


def _fits(rule: Rule, table: str, totals: typing.Mapping[str, int], now: int) -> bool:
    least, most = _range(rule, table, totals)
    return least <= now <= most


def _wanted(rule: Rule, table: str, totals: typing.Mapping[str, int]) -> str:
    least, most = _range(rule, table, totals)
    if least == most:
        return str(least)
    return "at least {0}".format(least) if most == float("inf") else "{0} to {1}".format(least, int(most))
