"""The report as Markdown: the same head and tables as the page, for a ticket or a wiki."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from upgrader.report.account.table import Table
from upgrader.report.account.tables import head, tables

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(document: Mapping[str, Any]) -> str:
    """One text. What an operator or a node wrote is text here, never markup."""
    lines = [f"# {plain(_title(document))}", "", plain(document["result"]), ""]
    lines += [f"* **{name}**: {plain(value)}" for name, value in head(document)]
    for table in tables(document):
        lines += ["", f"## {table.title}", "", *([plain(table.said), ""] if table.said else []), *_table(table)]
    return "\n".join(lines) + "\n"


def _title(document: Mapping[str, Any]) -> str:
    return f"{document['part']} {document['stage']} of cloud {document['cloud']}: {document['state']}"


def _table(table: Table) -> Sequence[str]:
    return [
        row_of(table.headers),
        row_of(["---"] * len(table.headers)),
        *(row_of(map(plain, row)) for row in table.rows),
    ]


def row_of(cells: Any) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """On one line, with everything that Markdown or HTML would read as markup made harmless."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")
