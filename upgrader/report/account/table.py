"""One section of a report: a table of plain text, made once for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
Row = tuple[str, ...]
MOST = 200
"""Rows of one table; the JSON document has all."""


@dataclass(frozen=True)
class Table:
    """One section: what it is called, one sentence about it, and its rows.

    ``states`` marks rows that did not go well; what is ``first`` stands before the timeline.
    """

    title: str
    said: str
    headers: Row
    rows: Sequence[Row]
    states: Sequence[str] = ()
    first: bool = False
