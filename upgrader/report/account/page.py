"""The report as one HTML file: no network, no script, styles inline; for a screen, a phone and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from upgrader.report.account.chart import downtime, timeline
from upgrader.report.account.table import Table
from upgrader.report.account.tables import DOWNTIME, head, tables

GOOD, BAD = ("finished", "done", "stamped"), ("failed", "blocker", "in doubt", "refused", "cut off", "still running")
LABELS = {
    "finished": "finished", "failed": "failed", "unfinished": "interrupted", "abandoned": "left behind", "running": "running",
}  # fmt: skip
STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:72rem;color:#1a1a1a;background:#fff;line-height:1.45;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif;font-size:.95rem}
h1{font-size:1.5rem;margin:.2rem 0 .6rem}
h2{font-size:1.15rem;margin:2rem 0 .4rem;border-bottom:1px solid #bbb;padding-bottom:.2rem}
p{margin:.4rem 0;overflow-wrap:anywhere}
.result{font-size:1.05rem;border-left:.35rem solid #777;padding:.5rem .8rem;background:#f5f5f5}
.result.good{border-color:#1b7a3d}.result.bad{border-color:#b3261e}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:1rem 0}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
.chart{display:grid;grid-template-columns:minmax(8rem,15rem) 1fr;gap:1px .6rem;align-items:center;font-size:.8rem}
.name{overflow-wrap:anywhere}.name span{color:#555;white-space:nowrap}.name.node{padding-left:1rem}
.bars{height:.9rem}.bars.node{height:.5rem}
.bars svg{display:block;width:100%;height:100%;background:#f1f1f1}
.ticks{display:flex;justify-content:space-between;color:#555}
.ok{fill:#2e7d4f}.bad{fill:#c62828}.now{fill:#1565c0}.gap{fill:#c4c4c4}
.key{font-size:.8rem;color:#555}.key b{font-weight:400;padding:0 .5rem;margin:0 .2rem 0 .8rem}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #ddd}
th{border-bottom:1px solid #888}
td.n{white-space:nowrap}td.w{overflow-wrap:anywhere;min-width:9rem}
tr.bad td:first-child{box-shadow:inset .25rem 0 #c62828}
tr.warn td:first-child{box-shadow:inset .25rem 0 #d98e00}
@media(max-width:46rem){
.chart{grid-template-columns:1fr}.name{margin-top:.25rem}.name:empty{display:none}
dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}
thead{display:none}table,tbody,tr,td{display:block}
tr{border-bottom:1px solid #999;padding:.4rem 0}
td,td.n,td.w{border:0;padding:.05rem 0 .05rem 6.5rem;text-indent:-6.5rem;white-space:normal;overflow-wrap:anywhere}
td:empty{display:none}
td::before{content:attr(data-h);display:inline-block;width:6.5rem;text-indent:0;color:#555}
tr.bad,tr.warn{padding-left:.6rem;border-left:.25rem solid #c62828}tr.warn{border-left-color:#d98e00}
tr.bad td:first-child,tr.warn td:first-child{box-shadow:none}}
@page{margin:1.2cm}
@media print{html{font-size:11px}body{max-width:none;padding:0}h2{break-after:avoid}tr,.bars,.name{break-inside:avoid}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
NARROW = frozenset(
    {
        "#",
        "time",
        "took",
        "seconds",
        "found",
        "source",
        "rows",
        "tables",
        "down",
        "longest",
        "times",
        "by",
        "at (UTC)",
        "severity",
    }
)
"""Columns that are not broken."""
WIDE = frozenset({"what", "remedy", "holds", "ended", "result", "way back", "by hand", "reason"})
"""Columns whose words are broken where they are too long: paths, checksums."""
KEY = (
    '<p class="key"><b class="keyed" style="background:#2e7d4f"></b>done<b style="background:#c62828"></b>failed or cut off'
    '<b style="background:#1565c0"></b>running<b style="background:#c4c4c4"></b>nobody worked on it</p>'
)


def page(document: Mapping[str, Any]) -> str:
    """The whole file. Every text of the document is escaped where it is put in, and nowhere else."""
    title = f"{document['part']} {document['stage']} of cloud {document['cloud']}: {LABELS[document['state']]}"
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in head(document))
    found = tables(document)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f'<p class="result {verdict(document["state"])}">{escape(document["result"])}</p>\n<dl>{rows}</dl>\n'
        f"{_sections(document, [table for table in found if table.first])}"
        f"<h2>Timeline</h2>\n{KEY}{timeline(document)}\n"
        f"{_sections(document, [table for table in found if not table.first])}"
        "</body></html>\n"
    )


def verdict(state: str) -> str:
    """The class of something that ended so: good, bad, or neither."""
    return "good" if state in GOOD else "bad" if state in BAD else ""


def _sections(document: Mapping[str, Any], found: Sequence[Table]) -> str:
    return "".join(section(table, downtime(document) if table.title == DOWNTIME else "") for table in found)


def section(table: Table, chart: str = "") -> str:
    """A table under its title, with a sentence and a chart before it. Every cell is escaped."""
    head_cells = "".join(f"<th>{escape(name)}</th>" for name in table.headers)
    states = [*table.states, *[""] * (len(table.rows) - len(table.states))]
    rows = "\n".join(_row(table.headers, row, state) for row, state in zip(table.rows, states, strict=False))
    said = f"<p>{escape(table.said)}</p>" if table.said else ""
    return (
        f"<h2>{escape(table.title)}</h2>\n{said}{chart}<table><thead><tr>{head_cells}</tr></thead><tbody>\n{rows}\n"
        f"</tbody></table>\n"
    )


def _row(headers: tuple[str, ...], row: tuple[str, ...], state: str) -> str:
    kind = ' class="bad"' if state in BAD else ' class="warn"' if state == "warning" else ""
    cells = "".join(
        f'<td data-h="{escape(name)}"{_width(name)}>{escape(cell)}</td>'
        for name, cell in zip(headers, row, strict=True)
    )
    return f"<tr{kind}>{cells}</tr>"


def _width(name: str) -> str:
    return " class=n" if name in NARROW else " class=w" if name in WIDE else ""
