"""What is wrong with an upgraded copy, compared with the snapshot it came from. Pure: counts in, findings out."""

import typing

from upgrader_node.host.findings import BLOCKER, WARNING, Finding, finding  # noqa: F401
from upgrader_node.release.path import Rule

Counts = typing.Mapping[str, typing.Mapping[str, typing.Mapping[str, typing.Optional[int]]]]


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


def compare_counts(
    rules: typing.Mapping[str, Rule], copy: str, expected: Counts, actual: Counts
) -> typing.List[Finding]:
    """Every table of the snapshot against the copy, by the rules of the tables that the upgrade changes."""
    source = source_name(copy)
    if source not in expected:
        known = ", ".join(sorted(expected)) or "none"
        return [finding(source, "is not among the snapshot's counts ({0})".format(known), "take the counts again")]
    totals = {table: counts["total"] or 0 for table, counts in expected[source].items()}
    findings = []
    for table in sorted(totals):
        rule = rules.get(table, Rule())
        name = "{0}.{1}".format(copy, rule.now or table)
        counts = actual.get(copy, {}).get(rule.now or table)
        if counts is None and not rule.gone:
            findings.append(
                finding(name, "is gone; the snapshot has it", "fill the clone again and repeat the upgrade")
            )
        elif counts is not None and not _fits(rule, table, totals, counts["total"] or 0):
            what = "has {0} rows, the snapshot says {1}".format(counts["total"], _wanted(rule, table, totals))
            findings.append(finding(name, what, "look at the table before anybody uses this copy"))
    return findings


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


def summary(findings: typing.Sequence[Finding], first: int = 5) -> str:
    """The blockers in one sentence: how many, and the first few with their remedy."""
    blockers = [item for item in findings if item["severity"] == BLOCKER]
    shown = ["{subject} {what} ({remedy})".format(**item) for item in blockers[:first]]
    more = "" if len(blockers) <= first else "; and {0} more".format(len(blockers) - first)
    return "{0} finding(s): {1}{2}".format(len(blockers), "; ".join(shown), more)
