"""How a page is put together. Every text goes through ``html``, which escapes it: what a node said is a stranger's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from upgrader.journal.approvals import Approval
from upgrader.report.account.page import LABELS as OF_RUNS
from upgrader.report.account.page import verdict as of_report
from upgrader.report.account.tables import clock

LABELS = OF_RUNS
LONGEST = 600
"""Characters of one text in a table; the page of the step has more of it."""
MORE = 20_000


def html(form: str, *texts: object) -> str:
    """The form with each ``{}`` replaced by a text, escaped."""
    return form.format(*(escape(str(text)) for text in texts))


def cut(text: str, most: int = LONGEST) -> str:
    """Of a text that is too long its beginning."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"


def verdict(state: str) -> str:
    """The class of a state: good, bad, now, or none."""
    return "now" if state == "running" else of_report(state)


def moment(at: str) -> str:
    """A time for people, empty for none."""
    return f"{clock(at)} UTC" if at else ""


def run_path(run: str) -> str:
    """The address of a run's page."""
    return f"/runs/{quote(run, safe='')}"


def step_path(run: str, step: str) -> str:
    """The address of a step's page."""
    return f"{run_path(run)}/steps/{quote(step, safe='')}"


def plan_path(digest: str) -> str:
    """The address of a plan that waits."""
    return f"/plans/{quote(digest, safe='')}"


def link(path: str, text: str) -> str:
    """A link to one of our pages."""
    return html('<a href="{}">{}</a>', path, text)


def run_link(run: str, text: str = "") -> str:
    """A link to a run."""
    return link(run_path(run), text or run)


def table(headers: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], narrow: frozenset[str]) -> str:
    """Rows of a state and cells that are HTML already, in the report's own form."""
    head = "".join(html("<th>{}</th>", name) for name in headers)
    body = "\n".join(_row(headers, state, cells, narrow) for state, cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _row(headers: Sequence[str], state: str, cells: Sequence[str], narrow: frozenset[str]) -> str:
    kind = verdict(state)
    kinds = [" class=n" if name in narrow else " class=w" for name in headers]
    told = "".join(
        f'<td data-h="{escape(name)}"{width}>{cell}</td>'
        for name, width, cell in zip(headers, kinds, cells, strict=True)
    )
    return f'<tr class="{kind}">{told}</tr>' if kind else f"<tr>{told}</tr>"


def waiting_list(waiting: Sequence[Approval], now: str) -> str:
    """Plans that somebody may decide on, or that were approved and may be run; each links to its own page."""
    items = "".join(
        html('<li><a href="{}">{} of cloud {}</a>: ', plan_path(one.digest), one.what, one.cloud)
        + _stands(one, now)
        + "</li>"
        for one in waiting
    )
    return f'<div class="waiting"><h2>Plans</h2><ul>{items}</ul></div>' if items else ""


def _stands(one: Approval, now: str) -> str:
    if one.decision:
        return html(
            "{} by {}; ‘upgrader apply {}’ runs it until {}", one.state(now), one.by, one.short, moment(one.expires_at)
        )
    return html("<b>waits for approval</b> until {}, asked by {}", moment(one.expires_at), one.asked_by)


def sections(parts: Mapping[str, str]) -> str:
    """The parts of a page that change, each under the name by which it is sent again."""
    return "\n".join(f'<section id="{escape(name)}">{part}</section>' for name, part in parts.items())


def document(title: str, body: str, events: str = "") -> str:
    """A whole page. ``events`` is the address of its changes, for one that is live."""
    live = html(' data-events="{}"', events) if events else ""
    script = '<script src="/live.js" defer></script>' if events else ""
    said = '<p id="connection" role="status">Reload the page to see what is new.</p>' if events else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/page.css"><link rel="icon" href="data:,">{script}</head>\n'
        f'<body>\n<header><a href="/">upgrader</a>{said}</header>\n<main{live}>\n{body}\n</main>\n</body></html>\n'
    )
