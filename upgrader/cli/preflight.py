"""``upgrader preflight``: the plan's own gate steps that lead to the questions, asked without a journal.

The databases first, then the controllers' configuration where the model names controllers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from upgrader.cli.questions import asked, readiness, refuse_failed
from upgrader.cli.settings import Settings, formulas_digest, read_cloud
from upgrader.errors import Refused
from upgrader.plan import make_plan
from upgrader.plan.step import Options, Step
from upgrader.report import document, findings, options
from upgrader.transport.base import Transport
from upgrader.transport.reply import Reply

PART, STAGE = "control-plane", "test-upgrade"


def ask(settings: Settings, output: str, wanted: Options) -> None:
    """Print what the live databases and the controllers' files say; Refused for a blocker or a controller's silence."""
    transport = settings.transport()
    plan = make_plan(read_cloud(transport), PART, STAGE, formulas_digest(), wanted)
    steps = {step.id: step for step in plan.steps()}
    found = _findings(_of_databases(transport, steps["preflight"]))
    controllers = _of_controllers(transport, steps.get("config-report"))
    if output == "json":
        click.echo(document.render(document.preflight_document(plan.cloud, found, controllers)))
    else:
        click.echo(f"{findings.findings_text(found)}\n\n{options.options_text(controllers)}")
    _judge(plan.cloud, [*found, *(f for answer in controllers.values() for f in answer.get("findings") or [])])
    silent = [answer["error"] for answer in controllers.values() if "error" in answer]
    if silent:
        raise Refused("the config report lacks a controller: " + "; ".join(silent))


def _judge(cloud: str, found: list[Mapping[str, Any]]) -> None:
    if any(finding.get("severity") == "blocker" for finding in found):
        raise Refused(f"{findings.counted(found)}: the upgrade of cloud {cloud} must not start before they are mended")


def _of_databases(transport: Transport, step: Step) -> Reply:
    node = step.call.nodes
    reply = asked(transport, (*readiness(node, formulas_digest()), step))[node[0]]
    if not reply.ok and not isinstance(reply.value, Mapping):
        refuse_failed({reply.node: reply})
    return reply


def _of_controllers(transport: Transport, step: Step | None) -> dict[str, Mapping[str, Any]]:
    """Each controller's answer, asked one by one: one that fails has its sentence, and the others are shown all the same."""
    return {node: _of_controller(transport, node, step) for node in step.call.nodes} if step else {}


def _of_controller(transport: Transport, node: str, step: Step) -> Mapping[str, Any]:
    alone = replace(step, call=replace(step.call, nodes=(node,)))
    try:
        reply = asked(transport, (*readiness((node,), formulas_digest()), alone))[node]
    except Refused as error:
        return {"error": str(error)}
    said: Mapping[str, Any] = {"error": reply.error or "it answered without a report"}
    return reply.value if _is_report(reply.value) else said


def _is_report(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), list) for key in ("options", "findings"))


def _findings(reply: Reply) -> list[Mapping[str, Any]]:
    found = reply.value.get("findings") if isinstance(reply.value, Mapping) else None
    if not isinstance(found, list):
        raise Refused(
            f"{reply.node} answered the preflight without findings; see 'salt {reply.node} upgrader_preflight.nova'"
        )
    return found
