"""The timeline and the downtime as rows of inline SVG bars. Names are text beside the bars, so they stay readable on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from upgrader.plan.step import GATE
from upgrader.report.account.axis import WIDTH, Axis, axis_of
from upgrader.report.account.times import DONE, RUNNING, earlier
from upgrader.report.wording import duration, short

LEAST = 4.0
"""Units that the shortest bar is wide: a step of 10 ms can be seen."""
MOST_NODES = 40
"""Node lines of one step; those that failed come first."""
CLASSES = {DONE: "ok", RUNNING: "now"}


def timeline(document: Mapping[str, Any]) -> str:
    """A line for each step that was tried, with a bar for each try, and one for each node of a step that goes node by node."""
    axis = axis_of(document["attempts"])
    lines = [line for step in document["steps"] if step["spans"] or step["node_spans"] for line in _step(axis, step)]
    return _chart(axis, lines) if lines else "<p>No step was tried.</p>"


def downtime(document: Mapping[str, Any]) -> str:
    """A line for each API with a bar for each time that it did not answer; empty when nobody probed."""
    axis = axis_of(document["attempts"])
    lines = [
        _line(one["target"], duration(one["seconds"]), axis, [_outage(axis, single) for single in one["outages"]])
        for one in document["outages"]
    ]
    return _chart(axis, lines) if lines else ""


def _step(axis: Axis, step: Mapping[str, Any]) -> Iterable[str]:
    said = "" if step["seconds"] is None else duration(step["seconds"])
    yield _line(step["id"], said, axis, [_bar(axis, span) for span in step["spans"]])
    nodes = _nodes(step)
    for node in list(nodes)[:MOST_NODES]:
        spans = nodes[node]
        yield _line(short(node), duration(spans[-1]["seconds"]), axis, [_bar(axis, span) for span in spans], "node")
    if len(nodes) > MOST_NODES:
        yield f'<div class="name node">and {len(nodes) - MOST_NODES} more nodes</div><div class="bars"></div>'


def _nodes(step: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The nodes that have a line, those that failed first. Of a gate only those: it asks every node the same small question."""
    nodes: dict[str, list[Mapping[str, Any]]] = {}
    for span in step["node_spans"]:
        nodes.setdefault(span["node"], []).append(span)
    bad = {node: spans for node, spans in nodes.items() if any(span["state"] != DONE for span in spans)}
    return bad if step["phase"] == GATE else {**bad, **nodes}


def _line(name: str, said: str, axis: Axis, bars: Sequence[str], kind: str = "") -> str:
    bands = "".join(_rect(left, right, "gap", "") for left, right, _ in axis.bands())
    return (
        f'<div class="name {kind}">{escape(name)} <span>{escape(said)}</span></div>'
        f'<div class="bars {kind}"><svg viewBox="0 0 {WIDTH:.0f} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(f"{name} {said}")}">{bands}{"".join(bars)}</svg></div>'
    )


def _bar(axis: Axis, span: Mapping[str, Any]) -> str:
    told = f"{span['begun'][11:19]}, {duration(span['seconds'])}, {span['state']}"
    reason = f": {span['reason']}" if span["reason"] else ""
    return _rect(axis.at(span["begun"]), axis.at(span["ended"]), CLASSES.get(span["state"], "bad"), told + reason)


def _outage(axis: Axis, single: Mapping[str, Any]) -> str:
    try:
        ended = earlier(single["from"], -single["seconds"])
        left, right = axis.at(single["from"]), axis.at(ended)
    except (ValueError, TypeError):  # a prober's time that is none, or one without a zone
        return ""
    return _rect(left, right, "bad", f"{single['from'][11:19]}, {duration(single['seconds'])}")


def _rect(left: float, right: float, kind: str, title: str) -> str:
    width = max(right - left, LEAST)
    told = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect class="{kind}" x="{min(left, WIDTH - width):.1f}" width="{width:.1f}" y="0" height="10">{told}</rect>'
    )


def _chart(axis: Axis, lines: Sequence[str]) -> str:
    begin, end = axis.ticks()[0][1], axis.ticks()[-1][1]
    note = f"<p>Grey bands: nobody worked on the run, until {escape('; until '.join(_until(axis)))}.</p>"
    return (
        f'{note if axis.bands() else ""}<div class="chart"><div class="name"></div>'
        f'<div class="ticks"><span>{escape(begin)}</span><span>{escape(end)}</span></div>{"".join(lines)}</div>'
    )


def _until(axis: Axis) -> list[str]:
    """``10:15:03, after 8 h 2 min`` for each time between attempts."""
    return [
        f"{stretch.begun[11:19]}, after {band[2]}"
        for stretch, band in zip(axis.stretches[1:], axis.bands(), strict=True)
    ]
