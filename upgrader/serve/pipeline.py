"""The stages of a cloud as rows of boxes. Which stages there are is the table of stages' to say, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upgrader.journal.approvals import Approval
from upgrader.plan.stages import BACKUP, STAGES
from upgrader.serve.journals import Summary, newest_of
from upgrader.serve.markup import LABELS, html, moment, run_link, verdict

NOT_YET, WAITS = "not yet", "waits for approval"


@dataclass(frozen=True)
class Box:
    """One stage: where its newest run stands, or that a plan of it waits."""

    stage: str
    state: str
    run: str = ""
    when: str = ""
    steps: str = ""


def rows(summaries: Sequence[Summary], waiting: Sequence[Approval]) -> list[tuple[str, list[Box]]]:
    """Each part of the cloud with its stages, in the order of the runbook. Backups are tools, not a way from left to right."""
    asked = {one.what for one in waiting}
    parts = list(dict.fromkeys(row.part for row in STAGES if row.part != BACKUP))
    return [(part, [_box(summaries, part, row.name, asked) for row in STAGES if row.part == part]) for part in parts]


def _box(summaries: Sequence[Summary], part: str, stage: str, asked: set[str]) -> Box:
    newest = newest_of(summaries, part, stage)
    if f"{part} {stage}" in asked:
        return Box(stage, WAITS, newest.run if newest else "", newest.started_at if newest else "")
    if newest is None:
        return Box(stage, NOT_YET)
    return Box(stage, newest.state, newest.run, newest.started_at, f"{newest.settled} of {newest.total} steps")


def pipeline(summaries: Sequence[Summary], waiting: Sequence[Approval], shown: str = "") -> str:
    """The boxes as HTML; the one of the run that is ``shown`` is marked."""
    return "".join(
        html('<div class="pipeline"><h3>{}</h3><ol>', part)
        + "".join(_item(box, shown) for box in boxes)
        + "</ol></div>"
        for part, boxes in rows(summaries, waiting)
    )


def _item(box: Box, shown: str) -> str:
    kind = {NOT_YET: "none", WAITS: "waits"}.get(box.state) or verdict(box.state) or "other"
    name = run_link(box.run, box.stage) if box.run else html("{}", box.stage)
    here = ' aria-current="true"' if box.run and box.run == shown else ""
    said = html("<span>{}</span>", LABELS.get(box.state, box.state))
    details = "".join(html("<small>{}</small>", text) for text in (box.steps, moment(box.when)) if text)
    return f'<li class="{kind}"{here}><b>{name}</b>{said}{details}</li>'
