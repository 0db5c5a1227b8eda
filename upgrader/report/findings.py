"""Findings as short paragraphs for 80 columns and for pipes: severity, whose, what, rows, remedy, statements, source."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SEVERITIES = ("blocker", "warning", "info")
COLUMNS, SHOWN = 80, 3
"""Rows and statements of a paragraph; what is more stands in a file, and the paragraph says how many they are."""


def in_order(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Blockers first, then warnings, then what is only told; otherwise as they were found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding["severity"]))


def findings_text(findings: Sequence[Mapping[str, Any]], path: str = "") -> str:
    """One paragraph a finding, and how many there are of each severity. ``path``: where ``rows_text`` was written.

    Statements stand on a line of their own and are never broken, so that they can be pasted.
    """
    if not findings:
        return "no finding: nothing stands in the way"
    where = [f"rows and statements that are many are in\n{path}"] if path else []
    return "\n\n".join([*(_paragraph(finding, path) for finding in findings), *where, counted(findings)])


def rows_text(findings: Sequence[Mapping[str, Any]]) -> str:
    """Every row and statement of the findings that have too many for a paragraph; "" where none has."""
    parts = []
    for finding in findings:
        rows, statements = _lines(finding, "rows"), [line + ";" for line in _lines(finding, "statements")]
        if max(len(rows), len(statements)) > SHOWN:
            left = int(finding.get("count") or 0) - len(rows)
            more = [f"... and {left:,} more that are not listed"] if left > 0 else []
            parts.append("\n".join([_head(finding), str(finding.get("what", "")), *rows, *more, *statements]))
    return "\n\n".join(parts) + "\n" if parts else ""


def probed_text(rows: Mapping[str, int]) -> str:
    """How many live rows the services' own code was asked over, and of which kinds."""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in rows.items() if number)
    return _filled(f"probed {sum(rows.values()):,} live rows: {kinds or 'there are none'}", "", "  ")


def site_text(site: Mapping[str, Any] | None) -> list[str]:
    """What the site's own Salt said of its formulas, as one paragraph; none where it deploys nothing."""
    if site is None:
        return []
    return [_filled(f"site's formulas on {site['node']}: {site.get('error') or site.get('comment', '')}", "", "  ")]


def _paragraph(finding: Mapping[str, Any], path: str) -> str:
    statements = [line + ";" for line in _lines(finding, "statements")]
    lines = [_filled(_head(finding), "", "  "), _filled(str(finding.get("what", "")), "  ", "  ")]
    lines += [_filled(f"{word}: {text}", "  ", "    ") for word, text in _parts(finding, path) if text]
    if len(statements) > SHOWN:
        return "\n".join([*lines, _filled(f"statements: {len(statements):,}, {_where(path)}", "  ", "    ")])
    return "\n".join([*lines, *("    " + statement for statement in statements)])


def _head(finding: Mapping[str, Any]) -> str:
    whose = "/".join(str(finding[key]) for key in ("service", "subject") if finding.get(key))
    name = f" ({finding['id']})" if finding.get("id") else ""
    return f"{str(finding.get('severity', '')).upper()} {whose}{name}"


def _lines(finding: Mapping[str, Any], key: str) -> list[str]:
    return [str(one) for one in finding.get(key) or []]


def _parts(finding: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    return [
        ("rows", _rows_text(finding, path)),
        ("source", str(finding.get("source") or "")),
        ("remedy", str(finding.get("remedy", ""))),
    ]


def _rows_text(finding: Mapping[str, Any], path: str) -> str:
    """Which rows a finding is about, where they are few; else how many they are, and where they stand."""
    rows = _lines(finding, "rows")
    number = max(int(finding.get("count") or 0), len(rows))
    if len(rows) > SHOWN:
        return f"{number:,}, {_where(path)}"
    return ", ".join(rows) + (f" and {number - len(rows):,} more" if number > len(rows) else "") if rows else ""


def _where(path: str) -> str:
    return "in the file that is named below" if path else "'-o json' has them"


def counted(findings: Sequence[Mapping[str, Any]]) -> str:
    """``2 blockers, 1 warning``."""
    counts = [(sum(finding.get("severity") == severity for finding in findings), severity) for severity in SEVERITIES]
    plural = {"info": "info"}
    return ", ".join(f"{n} {s if n == 1 else plural.get(s, s + 's')}" for n, s in counts if n)


def _filled(text: str, first: str, others: str) -> str:
    """A path stays whole, however long it is: it is there to be copied."""
    paths = any("/" in word and len(word) > COLUMNS - len(others) for word in text.split())
    return textwrap.fill(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=others,
        break_on_hyphens=False,
        break_long_words=not paths,
    )
