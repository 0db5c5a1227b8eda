"""Findings as a table for stdout that stays readable on 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

# 67 with the two columns that tabulate adds to a header: what is left of 80 beside the lines of the grid.
WIDTHS = {"severity": 8, "subject": 14, "what": 24, "remedy": 19}
SEVERITIES = ("blocker", "warning", "info")


def findings_text(found: Sequence[Mapping[str, Any]]) -> str:
    """One row a finding, wrapped; then the rows of each that are wrong, and how many findings of each kind."""
    if not found:
        return "no finding: nothing in the source databases stands in the way"
    rows = [[_wrapped(str(finding.get(key, "")), width) for key, width in WIDTHS.items()] for finding in found]
    # Plain text only: tabulate would take a cell like "10" for a number and turn it around.
    table = tabulate(rows, list(WIDTHS), tablefmt="grid", disable_numparse=True)
    return "\n".join([table, *filter(None, map(_rows_text, found)), counted(found)])


def _rows_text(finding: Mapping[str, Any]) -> str:
    """Which rows a finding is about: the first ten, and how many more there are."""
    rows = [str(row) for row in finding.get("rows") or []]
    more = int(finding.get("count", 0)) - len(rows)
    listed = ", ".join(rows) + (f" and {more} more" if more > 0 else "")
    text = f"{finding.get('id', finding.get('subject'))}: {listed}"
    return (
        textwrap.fill(text, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) if rows else ""
    )


def counted(found: Sequence[Mapping[str, Any]]) -> str:
    """``2 blockers, 1 warning``."""
    counts = [(sum(finding.get("severity") == severity for finding in found), severity) for severity in SEVERITIES]
    plural = {"info": "info"}
    return ", ".join(f"{n} {s if n == 1 else plural.get(s, s + 's')}" for n, s in counts if n)


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False)) or text
