"""``upgrader preflight``: the plan's own gate steps that lead to the questions, asked of one node, without a journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from upgrader.cli.questions import asked, readiness, refuse_failed
from upgrader.cli.settings import Settings, formulas_digest, read_cloud
from upgrader.errors import Refused
from upgrader.plan import make_plan
from upgrader.plan.step import Options
from upgrader.report import document, findings
from upgrader.transport.reply import Reply

PART, STAGE = "control-plane", "test-upgrade"


def ask(settings: Settings, output: str, options: Options) -> None:
    """Print what the live databases say; Refused when one finding stops the upgrade. Changes nothing."""
    transport = settings.transport()
    plan = make_plan(read_cloud(transport), PART, STAGE, formulas_digest(), options)
    step = next(step for step in plan.steps() if step.id == "preflight")
    node = step.call.nodes
    reply = asked(transport, (*readiness(node, formulas_digest()), step))[node[0]]
    if not reply.ok and not isinstance(reply.value, Mapping):
        refuse_failed({reply.node: reply})
    found = _findings(reply)
    if output == "json":
        click.echo(document.render(document.preflight_document(plan.cloud, found)))
    else:
        click.echo(findings.findings_text(found))
    blockers = [finding for finding in found if finding.get("severity") == "blocker"]
    if blockers:
        raise Refused(
            f"{findings.counted(found)}: the upgrade of cloud {plan.cloud} must not start before they are mended"
        )


def _findings(reply: Reply) -> list[Mapping[str, Any]]:
    found = reply.value.get("findings") if isinstance(reply.value, Mapping) else None
    if not isinstance(found, list):
        raise Refused(
            f"{reply.node} answered the preflight without findings; see 'salt {reply.node} upgrader_preflight.nova'"
        )
    return found
