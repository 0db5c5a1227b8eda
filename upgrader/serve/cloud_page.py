"""The first page: every cloud with its stages, where it stands, the plans that wait, and its newest runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from upgrader.journal.approvals import WAITING
from upgrader.serve.journals import AT_WORK, Summary
from upgrader.serve.markup import LABELS, html, moment, run_link, table, waiting_list
from upgrader.serve.pipeline import pipeline
from upgrader.serve.run_page import trouble
from upgrader.serve.state import State

SHOWN = 30
"""Runs of one cloud in its list."""
HEADERS = ("run", "stage", "state", "steps", "started", "by")
NARROW = frozenset({"steps", "started"})
TITLE = "upgrader"


def parts(state: State, now: str) -> dict[str, str]:
    """The page's only part; all of it changes."""
    clouds = state.clouds()
    told = "".join(_cloud(state, cloud, now) for cloud in clouds)
    return {"clouds": told or html("<h1>No run yet</h1><p>{} holds no journal.</p>", state.root)}


def _cloud(state: State, cloud: str, now: str) -> str:
    runs, unreadable = state.journals.of(cloud)
    plans, unread = state.plans(cloud, runs, now)
    waiting = [one for one in plans if one.state(now) == WAITING]
    return "".join(
        (
            html("<h1>Cloud {}</h1>", cloud), trouble([*unreadable, *unread]), _now(runs), pipeline(runs, waiting),
            waiting_list(plans, now), _runs(runs),
        )
    )  # fmt: skip


def _now(runs: Iterable[Summary]) -> str:
    working = [run for run in runs if run.state == AT_WORK]
    said = "".join(
        html('<p class="result now">{} runs: {} of {} steps done, started {} by {}. ',
             f"{run.part} {run.stage}", run.settled, run.total, moment(run.started_at), run.operator)
        + run_link(run.run, "Look at it") + "</p>"
        for run in working
    )  # fmt: skip
    return said or '<p class="result">Nothing runs.</p>'


def _runs(runs: Sequence[Summary]) -> str:
    rows = [
        (
            run.state,
            (
                run_link(run.run), html("{} {}", run.part, run.stage), html("{}", LABELS.get(run.state, run.state)),
                f"{run.settled} of {run.total}", html("{}", moment(run.started_at)), html("{}", run.operator),
            ),
        )
        for run in runs[:SHOWN]
    ]  # fmt: skip
    more = f"<p>The newest {SHOWN}; 'upgrader history' lists all.</p>" if len(runs) > SHOWN else ""
    return f"<h2>Runs</h2>{more}{table(HEADERS, rows, NARROW)}" if rows else ""
