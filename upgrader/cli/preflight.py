"""``upgrader preflight``: the plan's own gate steps that lead to the questions, asked without a journal.

The databases first, then the controllers' configuration where the model names controllers, then, when it is asked for, the
live rows that only the services' own code can judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import click

from upgrader.cli.plans import Now
from upgrader.cli.probing import Probe
from upgrader.cli.questions import asked, readiness, refuse_failed
from upgrader.cli.settings import Settings, modules_digest
from upgrader.errors import Refused
from upgrader.plan.stages import CONTROL_PLANE
from upgrader.plan.step import Options, Step
from upgrader.report import document, findings, options
from upgrader.transport.base import Transport
from upgrader.transport.reply import Reply

STAGE = "test-upgrade"
"""The stage whose gates are asked."""
LISTED = 1000
"""How many rows of each finding the document holds; the text shows ten."""


def ask(settings: Settings, output: str, wanted: Options, deep: bool = False) -> None:
    """Print what the live databases and the controllers' files say; Refused for a blocker or a controller's silence.

    ``deep``: the live rows are judged by the services' own code as well; Refused at once where that is not installed.
    """
    transport = settings.transport()
    now = Now(transport)
    plan = now.plan(CONTROL_PLANE, STAGE, wanted)
    steps = {step.id: step for step in plan.steps()}
    probe = Probe(transport, now.cloud) if deep else None
    if probe:
        probe.demand_code()
    found = _findings(_of_databases(transport, steps["preflight"]))
    controllers = _of_controllers(transport, steps.get("config-report"))
    site = _of_site(transport, steps.get("site-formulas"))
    rows, broken = None, None
    if probe:
        more, rows, broken = probe.ask()
        found = sorted([*found, *more], key=lambda finding: findings.SEVERITIES.index(finding["severity"]))
    if output == "json":
        click.echo(document.render(document.preflight_document(plan.cloud, found, controllers, rows, site)))
    else:
        told = [findings.findings_text(found), options.options_text(controllers), *findings.site_text(site)]
        click.echo("\n\n".join(told if rows is None else [*told, findings.probed_text(rows)]))
    if broken:
        raise broken
    _judge(plan.cloud, [*found, *(f for answer in controllers.values() for f in answer.get("findings") or [])])
    silent = [answer["error"] for answer in controllers.values() if "error" in answer]
    if silent:
        raise Refused("the config report lacks a controller: " + "; ".join(silent))
    if site and "error" in site:
        raise Refused(f"the site's own formulas: {site['error']}")


def _judge(cloud: str, found: list[Mapping[str, Any]]) -> None:
    if any(finding.get("severity") == "blocker" for finding in found):
        raise Refused(f"{findings.counted(found)}: the upgrade of cloud {cloud} must not start before they are mended")


def _of_databases(transport: Transport, step: Step) -> Reply:
    node = step.call.nodes
    step = replace(step, call=replace(step.call, args={**step.call.args, "listed": LISTED}))
    reply = asked(transport, (*readiness(node, modules_digest()), step))[node[0]]
    if not reply.ok and not isinstance(reply.value, Mapping):
        refuse_failed({reply.node: reply})
    return reply


def _of_controllers(transport: Transport, step: Step | None) -> dict[str, Mapping[str, Any]]:
    """Each controller's answer, asked one by one: one that fails has its sentence, and the others are shown all the same."""
    return {node: _of_one(transport, node, step, _is_report) for node in step.call.nodes} if step else {}


def _of_site(transport: Transport, step: Step | None) -> Mapping[str, Any] | None:
    """What the upgrade node says of the site's own Salt and formulas, or ``{"error"}``; None where none deploys."""
    if not step:
        return None
    [node] = step.call.nodes
    return {"node": node, **_of_one(transport, node, step, lambda value: isinstance(value, Mapping))}


def _of_one(transport: Transport, node: str, step: Step, good: Callable[[Any], bool]) -> Mapping[str, Any]:
    alone = replace(step, call=replace(step.call, nodes=(node,)))
    try:
        reply = asked(transport, (*readiness((node,), modules_digest()), alone))[node]
    except Refused as error:
        return {"error": str(error)}
    said: Mapping[str, Any] = {"error": reply.error or "it answered without a report"}
    return reply.value if good(reply.value) else said


def _is_report(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), list) for key in ("options", "findings"))


def _findings(reply: Reply) -> list[Mapping[str, Any]]:
    found = reply.value.get("findings") if isinstance(reply.value, Mapping) else None
    if not isinstance(found, list):
        raise Refused(
            f"{reply.node} answered the preflight without findings; see 'salt {reply.node} upgrader_preflight.databases'"
        )
    return found
