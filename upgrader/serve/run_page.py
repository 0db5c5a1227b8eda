"""The page of a run: stages, the sentence of what is done now and what comes next, plans that wait, steps, findings."""

from __future__ import annotations

from collections.abc import Iterable, Set

from upgrader.engine.events import StepWaiting
from upgrader.journal.approvals import WAITING
from upgrader.journal.progress import RunProgress
from upgrader.journal.step_fold import IN_DOUBT, SETTLED
from upgrader.journal.way import failing, not_reached
from upgrader.plan.step import Step
from upgrader.report.account import found, tables
from upgrader.report.account.page import section
from upgrader.report.account.tables import clock
from upgrader.report.outcome import unreached, unreached_lines
from upgrader.report.said import result_line
from upgrader.report.text import now_sentence, run_sentence
from upgrader.report.wording import duration, node_list
from upgrader.serve.journals import Look
from upgrader.serve.markup import MORE, cut, html, link, run_path, step_path, table, verdict, waiting_list
from upgrader.serve.pipeline import pipeline
from upgrader.serve.state import State

HEADERS = ("#", "step", "state", "nodes", "time", "result")
NARROW = frozenset({"#", "time"})
ORDER = ("stages", "now", "plans", "steps", "findings")
SHOWN = 12
"""Failed steps that are named above the others."""


def parts(state: State, run: str, now: str) -> dict[str, str]:
    """The parts of the page, in the order of ``ORDER``; each is sent again when it is another one."""
    look = state.journals.look(run, now)
    runs, unreadable = state.journals.of(look.run.plan.cloud)
    plans, unread = state.plans(look.run.plan.cloud, runs, now)
    waiting = [one for one in plans if one.state(now) == WAITING]
    made = {
        "stages": trouble([*unreadable, *unread]) + pipeline(runs, waiting, look.run.run_id),
        "plans": waiting_list(plans, now),
        **state.once(look.version, lambda: {"now": _now(look), "steps": _steps(look), "findings": _findings(look.run)}),
    }
    return {name: made[name] for name in ORDER}


def trouble(sentences: Iterable[str]) -> str:
    """What could not be read, a sentence each."""
    return "".join(html('<p class="trouble">{}</p>', sentence) for sentence in sentences)


def state_of(look: Look) -> str:
    """The run's state; a run on which a process works is running."""
    return "running" if look.at_work else look.run.state


def _now(look: Look) -> str:
    """Where the run stands; while somebody works on it what is done, on which node, since when, and what is next."""
    run = look.run
    said = now_sentence(run) if look.at_work else run_sentence(run)
    lines = _failed(look) + "".join(html("<p>{}</p>", cut(line)) for line in unreached_lines(unreached(run)))
    return (
        html('<p class="result {}">{}</p>', verdict(state_of(look)), cut(said, MORE))
        + (_doing(look) if look.at_work else "") + lines
        + html("<p>Started {} UTC by {}; journal {}. ", clock(run.started_at), run.operator, look.path)
        + link(f"{run_path(run.run_id)}/report", "The whole run on one page") + "</p>"
    )  # fmt: skip


def _failed(look: Look) -> str:
    """Links to the steps that failed or are in doubt: they may stand far down."""
    bad = [step for step in failing(look.run) if step_state(look, step) != "running"]
    links = ", ".join(link(step_path(look.run.run_id, step.id), step.id) for step in bad[:SHOWN])
    return f"<p>What failed, node by node: {links}{' and more' if len(bad) > SHOWN else ''}.</p>" if bad else ""


def _doing(look: Look) -> str:
    upcoming = _next(look.run, {one.step.id for one in look.waiting})
    after = html(" Next: {}.", upcoming.title) if upcoming else ""
    if not look.waiting:
        return f'<p class="doing">Between two steps.{after}</p>'
    *others, last = (_open(one, look.since[one.step.id]) for one in look.waiting)
    return "".join(f'<p class="doing">{one}.</p>' for one in others) + f'<p class="doing">{last}.{after}</p>'


def _open(waiting: StepWaiting, begun: str) -> str:
    since = f"since {clock(begun)[11:]} UTC"
    head = html("Now: <b>{}</b>, waiting for {}, ", waiting.step.title, node_list(waiting.missing) or "its end")
    return head + html('<time datetime="{}" data-since="{}" data-said="{}">{}</time>', begun, begun, since, since)


def _next(run: RunProgress, opened: Set[str]) -> Step | None:
    """The first step behind the open ones that may still be reached."""
    steps = tuple(run.plan.steps())
    behind = max((number for number, step in enumerate(steps, 1) if step.id in opened), default=0)
    kept = not_reached(run)
    left = (step for step in steps[behind:] if run.steps[step.id].state not in SETTLED)
    return next((step for step in left if step.id not in kept or set(kept[step.id]) <= opened), None)


def _steps(look: Look) -> str:
    run = look.run
    rows = [_row(look, number, step) for number, step in enumerate(run.plan.steps(), start=1)]
    return f"<h2>Steps</h2>{table(HEADERS, rows, NARROW)}"


def step_state(look: Look, step: Step) -> str:
    """A step's state; an open one of a run at work is running."""
    state = look.run.steps[step.id].state
    return "running" if state == IN_DOUBT and step.id in look.since else state


def _row(look: Look, number: int, step: Step) -> tuple[str, tuple[str, ...]]:
    progress, state = look.run.steps[step.id], step_state(look, step)
    said = progress.reason or (result_line(step.call.nodes, progress.replies) if state in SETTLED else "")
    answered = (
        f", {len(progress.replies)} of {len(progress.nodes or step.call.nodes)} nodes" if state == "running" else ""
    )
    tries = f", {progress.attempts} tries" if progress.attempts > 1 else ""
    nodes = [*progress.replies] if step.call.only and progress.replies else [*step.call.nodes]
    return state, (
        str(number),
        link(step_path(look.run.run_id, step.id), step.id) + html("<br>{}", step.title),
        html("{}", f"{state}{answered}{tries}"),
        html("{}", node_list(nodes)),
        "" if progress.seconds is None else duration(progress.seconds),
        html("{}", cut(said)),
    )


def _findings(run: RunProgress) -> str:
    told = tables.findings({"findings": found.findings(run)})
    return section(told) if told.rows else ""
