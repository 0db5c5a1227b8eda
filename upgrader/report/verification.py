"""What a verification asked, as a table for stdout: the operator's command for each call, what came and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabulate import tabulate

from upgrader.report.findings import findings_text


def verification_text(value: Mapping[str, Any]) -> str:
    """A row for each call; below it the findings, or one sentence that there are none."""
    rows = [
        [
            call["call"],
            "" if call.get("found") is None else str(call["found"]),
            "" if call.get("expected") is None else str(call["expected"]),
            f"{call['seconds']:.2f}",
            call["command"],
        ]
        for call in value["calls"]
    ]
    table = tabulate(rows, ["call", "found", "source", "seconds", "by hand"], disable_numparse=True)
    found = value["findings"]
    told = findings_text(found) if found else "no finding: the cloud holds what its source held"
    return f"{table}\n\n{value['comment']}\n{told}"
