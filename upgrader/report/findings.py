"""Findings as short paragraphs for 80 columns and for pipes: severity, whose, what, rows, remedy, statements, source."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

SEVERITIES = ("blocker", "warning", "info")
COLUMNS, SHOWN = 80, 10


def findings_text(findings: Sequence[Mapping[str, Any]]) -> str:
    """One paragraph a finding, and how many there are of each severity.

    Statements stand on a line of their own and are never broken, so that they can be pasted.
    """
    if not findings:
        return "no finding: nothing in the source databases stands in the way"
    return "\n\n".join([*map(_paragraph, findings), counted(findings)])


def probed_text(rows: Mapping[str, int]) -> str:
    """How many live rows the services' own code was asked over, and of which kinds."""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in rows.items() if number)
    return _filled(f"probed {sum(rows.values()):,} live rows: {kinds or 'there are none'}", "", "  ")


def site_text(site: Mapping[str, Any] | None) -> list[str]:
    """What the site's own Salt said of its formulas, as one paragraph; none where it deploys nothing."""
    if site is None:
        return []
    return [_filled(f"site's formulas on {site['node']}: {site.get('error') or site.get('comment', '')}", "", "  ")]


def _paragraph(finding: Mapping[str, Any]) -> str:
    whose = "/".join(str(finding[key]) for key in ("service", "subject") if finding.get(key))
    name = f" ({finding['id']})" if finding.get("id") else ""
    head = f"{str(finding.get('severity', '')).upper()} {whose}{name}"
    statements = [str(statement) + ";" for statement in finding.get("statements") or []]
    lines = [_filled(head, "", "  "), _filled(str(finding.get("what", "")), "  ", "  ")]
    lines += [_filled(f"{word}: {text}", "  ", "    ") for word, text in _parts(finding) if text]
    return "\n".join([*lines, *("    " + statement for statement in statements[:SHOWN]), *_more(statements)])


def _parts(finding: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("rows", _rows_text(finding)),
        ("source", str(finding.get("source") or "")),
        ("remedy", str(finding.get("remedy", ""))),
    ]


def _rows_text(finding: Mapping[str, Any]) -> str:
    """Which rows a finding is about: the first ten, and how many more there are."""
    rows = [str(row) for row in finding.get("rows") or []]
    shown = rows[:SHOWN]
    more = max(int(finding.get("count", 0)), len(rows)) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if rows else ""


def _more(statements: Sequence[str]) -> list[str]:
    left = len(statements) - SHOWN
    return [f"    ... and {left} more: 'upgrader preflight -o json' has them"] if left > 0 else []


def counted(findings: Sequence[Mapping[str, Any]]) -> str:
    """``2 blockers, 1 warning``."""
    counts = [(sum(finding.get("severity") == severity for finding in findings), severity) for severity in SEVERITIES]
    plural = {"info": "info"}
    return ", ".join(f"{n} {s if n == 1 else plural.get(s, s + 's')}" for n, s in counts if n)


def _filled(text: str, first: str, others: str) -> str:
    return textwrap.fill(text, COLUMNS, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
