"""The report of a run as a document, schema ``upgrader.report/1``. The pages for people are made from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from upgrader.journal.journal import Record
from upgrader.journal.progress import RUNNING, RunProgress, read_progress
from upgrader.journal.step_fold import SETTLED
from upgrader.plan.step import Step
from upgrader.report.account.found import PARTS
from upgrader.report.account.node_parts import NODE_PARTS
from upgrader.report.account.times import Attempt, Span, Tries, seconds_between, times, working_seconds
from upgrader.report.outcome import unreached
from upgrader.report.said import result_line
from upgrader.report.text import now_sentence, run_sentence

SCHEMA = "upgrader.report/1"


def report_document(rows: Sequence[Record], journal: str, in_progress: bool) -> dict[str, Any]:
    """Everything that a report says of the run whose journal these lines are. ``in_progress``: a process works on it now.

    Raises InDoubt when the lines do not begin with a run.
    """
    run = read_progress(rows)
    working = in_progress and run.state == RUNNING
    attempts, tries = times(rows, working)
    return {
        "schema": SCHEMA,
        **_head(run, attempts, working),
        "version": str(rows[0].get("version", "")),
        "approval": _approval(rows[0]),
        "journal": journal,
        "attempts": [_attempt(attempt) for attempt in attempts],
        "steps": [_step(run, stage.name, step, tries) for stage in run.plan.stages for step in stage.steps],
        "not_reached": [{"step": step, "because": list(causes)} for step, causes in unreached(run).items()],
        "stamps": [
            {key: str(row.get(key, "")) for key in ("step", "operator", "at", "reason")} for row in _stamps(rows)
        ],
        **{key: part(run) for key, part in {**PARTS, **NODE_PARTS}.items()},
    }


def _head(run: RunProgress, attempts: Sequence[Attempt], working: bool) -> dict[str, Any]:
    plan = run.plan
    return {
        "run": run.run_id,
        "cloud": plan.cloud,
        "part": plan.part,
        "stage": run.stage,
        "title": plan.stages[0].title,
        "source": plan.source,
        "target": plan.target,
        "state": "running" if working else run.state,
        "result": now_sentence(run) if working else run_sentence(run),
        "operator": run.operator,
        "started_at": run.started_at,
        "last_at": run.last_at,
        "seconds": round(seconds_between(run.started_at, run.last_at), 3),
        "working_seconds": round(working_seconds(attempts), 3),
        "digest": run.digest,
        "facts": {name: getattr(plan.facts, name) for name in ("modules", "formulas", "pillar")},
        "settled": sum(state.state in SETTLED for state in run.steps.values()),
    }


def _approval(first: Record) -> dict[str, str] | None:
    """Who said yes to this plan, of whom, and when; None where nobody was asked that way."""
    given = first.get("approval")
    return {key: str(given.get(key, "")) for key in ("by", "at", "asked_by", "asked_at")} if given else None


def _attempt(attempt: Attempt) -> dict[str, Any]:
    kind = "start" if attempt.kind == "run-started" else "resume"
    return {"kind": kind, "operator": attempt.operator, **_span(attempt.span), "accepted": list(attempt.accepted)}


def _step(run: RunProgress, stage: str, step: Step, tries: Mapping[str, Tries]) -> dict[str, Any]:
    state, tried = run.steps[step.id], tries.get(step.id, Tries())
    return {
        "id": step.id,
        "stage": stage,
        "title": step.title,
        "phase": step.phase,
        "call": str(step.call),
        "nodes": list(state.replies if step.call.only and state.replies else step.call.nodes),
        "state": state.state,
        "attempts": state.attempts,
        "seconds": state.seconds,
        "result": result_line(step.call.nodes, state.replies) if state.state in SETTLED else "",
        "reason": state.reason,
        "undo": str(step.undo) if step.undo else "",
        "no_undo": step.no_undo,
        "spans": [_span(span) for span in tried.whole],
        "node_spans": [{"node": node, **_span(span)} for node, span in tried.nodes],
    }


def _span(span: Span) -> dict[str, Any]:
    return {**asdict(span), "seconds": round(span.seconds, 3)}


def _stamps(rows: Sequence[Record]) -> list[Record]:
    return [row for row in rows if row["event"] == "step-stamped"]
