"""The page of a step: what it is, and what each of its nodes answered, a hundred nodes at a time and those that failed first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader.errors import UsageError
from upgrader.journal.step_fold import FAILED, IN_DOUBT, STILL_RUNNING, StepProgress
from upgrader.plan.step import Step
from upgrader.report.account.times import Tries, times
from upgrader.report.said import result_line
from upgrader.report.wording import duration
from upgrader.serve.journals import Look
from upgrader.serve.markup import MORE, cut, html, link, run_link, step_path, table, verdict
from upgrader.serve.run_page import step_state
from upgrader.serve.state import State

OF_ONE_PAGE = 100
HEADERS = ("node", "state", "time", "said")
NARROW = frozenset({"state", "time"})
WAITED_FOR, NOT_ASKED, DONE = "waited for", "not asked", "done"
ORDER: Mapping[str, int] = {FAILED: 0, IN_DOUBT: 1, STILL_RUNNING: 2, WAITED_FOR: 3, DONE: 4, NOT_ASKED: 5}


def title(run: str, step: str) -> str:
    """Which step of which run."""
    return f"step {step} of run {run}"


def parts(state: State, run: str, step: str, page: int, now: str) -> Mapping[str, str]:
    """The parts of the page. Raises UsageError for a step that the run does not have."""
    look = state.journals.look(run, now)
    found = next((one for one in look.run.plan.steps() if one.id == step), None)
    if found is None:
        raise UsageError(f"run {look.run.run_id} has no step {step}; its page lists them")
    return state.once(
        (look.version, step, page), lambda: {"step": _head(look, found), "nodes": _nodes(look, found, page)}
    )


def _head(look: Look, step: Step) -> str:
    progress, state = look.run.steps[step.id], step_state(look, step)
    back = f"undo: {step.undo}" if step.undo else step.no_undo
    facts = (
        ("run", run_link(look.run.run_id)), ("calls", html("{}", step.call)), ("phase", html("{}", step.phase)),
        ("time", "" if progress.seconds is None else duration(progress.seconds)),
        ("tries", str(progress.attempts)), ("job", html("{}", progress.jid or "")), ("way back", html("{}", back)),
    )  # fmt: skip
    told = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value)
    reason = html("<pre>{}</pre>", cut(progress.reason, MORE)) if progress.reason else ""
    return (
        html('<h1>{}</h1><p class="result {}">{}</p>', step.title, verdict(state), state) + f"{reason}<dl>{told}</dl>"
    )


def _nodes(look: Look, step: Step, page: int) -> str:
    progress = look.run.steps[step.id]
    running = step_state(look, step) == "running"
    told = [(_state(progress, node, running), node) for node in dict.fromkeys([*step.call.nodes, *progress.replies])]
    told.sort(key=lambda one: ORDER[one[0]])
    last = max(1, -(-len(told) // OF_ONE_PAGE))
    page = min(max(1, page), last)
    seconds = _seconds(look, step)
    rows = [
        (state, (html("{}", node), html("{}", state), seconds.get(node, ""), html("{}", cut(_said(progress, node)))))
        for state, node in told[(page - 1) * OF_ONE_PAGE : page * OF_ONE_PAGE]
    ]
    counts = ", ".join(f"{number} {state}" for state in ORDER if (number := sum(one == state for one, _ in told)))
    here = step_path(look.run.run_id, step.id)
    return f"<h2>Nodes</h2><p>{counts}</p>{_pages(here, page, last)}{table(HEADERS, rows, NARROW)}"


def _seconds(look: Look, step: Step) -> dict[str, str]:
    """How long each node took, the last time; known of a step that goes node by node."""
    rows = [row for row in look.rows if row.get("step", step.id) == step.id]
    of_step = times(rows, look.at_work)[1].get(step.id, Tries())
    return {node: duration(span.seconds) for node, span in of_step.nodes}


def _pages(here: str, page: int, last: int) -> str:
    if last == 1:
        return ""
    before = link(f"{here}?page={page - 1}", "before") if page > 1 else ""
    after = link(f"{here}?page={page + 1}", "after") if page < last else ""
    return f"<nav>{before}<span>page {page} of {last}</span>{after}</nav>"


def _state(progress: StepProgress, node: str, running: bool) -> str:
    reply = progress.replies.get(node)
    if reply is None:
        asked = node in progress.nodes or any(node in nodes for nodes in progress.jobs.values())
        return NOT_ASKED if not asked else WAITED_FOR if running else IN_DOUBT
    if reply.get("ok"):
        return DONE
    return STILL_RUNNING if reply.get("running") else IN_DOUBT if reply.get("lost") else FAILED


def _said(progress: StepProgress, node: str) -> str:
    """The comment of a good answer, the error of another. An answer is never shown whole: it may hold what is nobody's to read."""
    reply: Mapping[str, Any] = progress.replies.get(node) or {}
    return str(reply.get("error") or "") or result_line([node], {node: reply})
