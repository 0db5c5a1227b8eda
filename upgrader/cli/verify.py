"""``upgrader verify``: the plan's own verification of a cloud, asked of one node at any time, without a journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from upgrader.cli.questions import asked, question, readiness, refuse_failed
from upgrader.cli.settings import Settings, modules_digest, read_cloud
from upgrader.cloud.cloud import UPGRADE, Cloud
from upgrader.errors import Refused
from upgrader.plan.blocks.copy import without
from upgrader.report import document, findings, verification
from upgrader.transport.reply import Reply

PATIENCE = 30


@click.command()
@click.option("--node", help="Minion on which the cloud is asked; its short name is enough. Default: the upgrade node.")
@click.option("--cloud", "cloud_name", default="", help="Account: this name in the node's clouds.yaml.")
@click.option("--openrc", default="", help="Account: this file of 'export OS_..' lines on the node.")
@click.option(
    "--baseline",
    default="",
    help="Run whose baseline to compare with; 'none' compares with nothing. Default: the newest.",
)
@click.option("--read-only", is_flag=True, help="Make, read and delete nothing; only list and compare.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the result on stdout.",
)
@click.pass_obj
def verify(
    settings: Settings, node: str | None, cloud_name: str, openrc: str, baseline: str, read_only: bool, output: str
) -> None:
    """Ask a cloud eight questions in one session and compare, by id, with what its source held.

    Nothing may be missing, doubled or changed, and no service of elsewhere be registered; an object more than the source has
    is a warning. Also looks at the catalogue and at placement, and makes, reads and
    deletes a flavor, keypair, image, network, volume type and project, all named upgrader-check-*. On the upgrade node the
    copy's own account is used, on a controller that pillar calls production's the administrator of its pillar; elsewhere name one
    with --cloud or --openrc. Exit code 3 when something is wrong.

    \b
    Example:
      upgrader verify
      upgrader verify --node ctl01 --openrc /root/keystonercv3 --read-only
    """
    transport = settings.transport()
    cloud = read_cloud(transport)
    minion = minion_id(cloud, node)
    step = question(
        "verify-cloud",
        "verify: eight lists by id, catalogue, placement"
        + ("" if read_only else "; make, read and delete six objects"),
        "upgrader_verify.calls",
        (minion,),
        timeout=20 * 60,
        run=baseline,
        cloud=cloud_name,
        openrc=openrc,
        change=not read_only,
        patience=PATIENCE,
        **(without(cloud) if minion in cloud.role(UPGRADE) else {}),
    )
    reply = asked(transport, (*readiness((minion,), modules_digest()), step))[minion]
    if not reply.ok and not isinstance(reply.value, Mapping):
        refuse_failed({reply.node: reply})
    value = _value(reply)
    if output == "json":
        click.echo(document.render(document.verification_document(cloud.name, minion, value)))
    else:
        click.echo(verification.verification_text(value))
    blockers = [finding for finding in value["findings"] if finding.get("severity") == "blocker"]
    if blockers:
        raise Refused(f"{findings.counted(value['findings'])}: the cloud on {minion} is not what its source was")


def minion_id(cloud: Cloud, node: str | None) -> str:
    """The minion that an operator means: its id, or the part before the first dot of one of the model's nodes."""
    if not node:
        return cloud.role(UPGRADE)[0]
    return next((known.id for known in cloud.members if node in (known.id, known.host)), node)


def _value(reply: Reply) -> Mapping[str, Any]:
    value = reply.value
    if not isinstance(value, Mapping) or not isinstance(value.get("calls"), list):
        raise Refused(f"{reply.node} answered without calls; see 'salt {reply.node} upgrader_verify.calls'")
    return value
