"""The JSON documents of ``-o json``. Each names its schema and version; docs/json.md describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from upgrader.errors import UsageError
from upgrader.journal.progress import RunProgress
from upgrader.journal.way import failing
from upgrader.plan.step import Plan, Step, plan_from_json
from upgrader.report.nodes import standings
from upgrader.report.outcome import unreached


def plan_document(plan: Plan) -> dict[str, Any]:
    """Schema ``upgrader.plan/1``."""
    return {"schema": "upgrader.plan/1", "digest": plan.digest, "plan": json.loads(plan.to_json())}


def plan_of_document(written: str, where: str) -> Plan:
    """The plan that ``plan_document`` was made of. Raises UsageError when a byte of it is another one."""
    again = "make a new one with 'upgrader plan --out FILE'"
    try:
        held: Mapping[str, Any] = json.loads(written)
        digest, body = held["digest"], json.dumps(held["plan"], sort_keys=True, separators=(",", ":"))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{where} is no plan ({type(error).__name__}): {again}") from error
    plan = plan_from_json(body)
    if plan.digest != digest or plan.to_json() != body:
        raise UsageError(
            f"{where} was edited: it does not have the digest {str(digest)[:12]} that it was shown under; {again}"
        )
    return plan


def preflight_document(
    cloud: str,
    findings: Sequence[Mapping[str, Any]],
    controllers: Mapping[str, Mapping[str, Any]],
    probed: Mapping[str, int] | None = None,
    site: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Schema ``upgrader.preflight/1``. ``controllers``: what each said of its configuration, or ``{"error"}``.

    ``probed``: how many live rows of each kind the services' own code judged, where it was asked to. ``site``: what the site's
    own Salt said of its formulas, where they deploy.
    """
    said = [finding for answer in controllers.values() for finding in answer.get("findings") or []]
    return {
        "schema": "upgrader.preflight/1",
        "cloud": cloud,
        "refused": any(finding.get("severity") == "blocker" for finding in [*findings, *said]),
        "findings": [dict(f) for f in findings],
        "controllers": {node: dict(answer) for node, answer in controllers.items()},
        **({} if probed is None else {"probed": dict(probed)}),
        **({} if site is None else {"site": dict(site)}),
    }


def verification_document(cloud: str, node: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Schema ``upgrader.verification/1``."""
    refused = any(finding.get("severity") == "blocker" for finding in value["findings"])
    return {
        "schema": "upgrader.verification/1",
        "cloud": cloud,
        "node": node,
        "refused": refused,
        "seconds": value["seconds"],
        "comment": value["comment"],
        "calls": [dict(call) for call in value["calls"]],
        "findings": [dict(finding) for finding in value["findings"]],
    }


def run_document(run: RunProgress, journal: str, locked: bool | None = None) -> dict[str, Any]:
    """Schema ``upgrader.run/1``."""
    return {
        "schema": "upgrader.run/1",
        **_run(run),
        "changed": run.changed(),
        "failed": [_failed(run, step) for step in failing(run)],
        "not_reached": [{"step": step, "because": list(causes)} for step, causes in unreached(run).items()],
        "journal": journal,
        "in_progress": locked,
        "seconds": round(run.seconds(), 3),
        "nodes": [asdict(one) for one in standings(run)],
        "steps": _steps(run),
    }


def _failed(run: RunProgress, step: Step) -> dict[str, Any]:
    state = run.steps[step.id]
    return {"step": step.id, "state": state.state, "reason": state.reason, "mends": step.mends}


def history_document(runs: Sequence[RunProgress]) -> dict[str, Any]:
    """Schema ``upgrader.history/1``."""
    return {"schema": "upgrader.history/1", "runs": [_run(run) for run in runs]}


def _run(run: RunProgress) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "cloud": run.plan.cloud,
        "part": run.plan.part,
        "stage": run.stage,
        "state": run.state,
        "reason": run.reason,
        "stopped_at": run.first_unsettled(),
        "started_at": run.started_at,
        "last_at": run.last_at,
        "operator": run.operator,
        "digest": run.digest,
    }


def _steps(run: RunProgress) -> list[dict[str, Any]]:
    return [
        {
            "id": step.id,
            "title": step.title,
            "phase": step.phase,
            "nodes": list(step.call.nodes),
            "state": state.state,
            "attempts": state.attempts,
            "seconds": state.seconds,
            "jid": state.jid,
            "reason": state.reason,
            "replies": dict(state.replies),
        }
        for step in run.plan.steps()
        for state in (run.steps[step.id],)
    ]


def render(document: dict[str, Any]) -> str:
    """Indented for people, stable for diffs."""
    return json.dumps(document, indent=2, sort_keys=True)


def render_yaml(document: dict[str, Any]) -> str:
    """The same document to be read as YAML; what ``apply`` takes is the JSON."""
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=120)
    return text
