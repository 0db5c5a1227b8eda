"""``upgrader preflight``: the plan's own gate steps that lead to the questions, asked of one node, without a journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from upgrader.cli.settings import Settings, formulas_digest, read_cloud
from upgrader.errors import Refused
from upgrader.plan import make_plan
from upgrader.plan.step import Call, Options
from upgrader.report import document, findings
from upgrader.transport.base import Patience, Transport, collect
from upgrader.transport.reply import Reply

PART, STAGE = "control-plane", "test-upgrade"
STEPS = ("modules-synced", "modules-current", "pillar-current", "preflight")
"""A node with other modules would answer other questions, or none: it gets this version's and proves it, as in a run."""


def ask(settings: Settings, output: str, options: Options) -> None:
    """Print what the live databases say; Refused when one finding stops the upgrade. Changes nothing."""
    transport = settings.transport()
    plan = make_plan(read_cloud(transport), PART, STAGE, formulas_digest(), options)
    calls = {step.id: step.call for step in plan.steps()}
    node = calls["preflight"].nodes
    reply = _last_reply(transport, [replace(calls[step], nodes=node) for step in STEPS])
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


def _last_reply(transport: Transport, calls: Sequence[Call]) -> Reply:
    """The reply of the last call; an earlier one that fails, or a node that says nothing, is refused with its name."""
    for call in calls:
        jid = transport.new_job_id()
        transport.submit(call, jid)
        reply = collect(transport, call, jid, Patience())[call.nodes[0]]
        if not reply.ok and (call is not calls[-1] or not isinstance(reply.value, Mapping)):
            raise Refused(reply.error if reply.node in reply.error else f"{reply.node}: {reply.error}")
    return reply


def _findings(reply: Reply) -> list[Mapping[str, Any]]:
    found = reply.value.get("findings") if isinstance(reply.value, Mapping) else None
    if not isinstance(found, list):
        raise Refused(
            f"{reply.node} answered the preflight without findings; see 'salt {reply.node} upgrader_preflight.nova'"
        )
    return found
