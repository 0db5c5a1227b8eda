"""What ``upgrader data-plane`` does: the stage that was asked for, or one after the other with an approval between them."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from upgrader.cli import plans, runs
from upgrader.cli.confirm import confirm
from upgrader.cli.nodes.choice import Chosen, chosen, known
from upgrader.cli.nodes.difference import require_same
from upgrader.cli.nodes.words import Words
from upgrader.cli.plans import Now
from upgrader.cli.settings import Settings
from upgrader.cloud.cloud import lookup
from upgrader.cloud.roles import COMPUTE, GATEWAY
from upgrader.cloud.target import resolved
from upgrader.errors import UsageError, Waiting
from upgrader.journal.rollouts import ALL, PART, ROLLBACK, TEST
from upgrader.plan.stages import stage_row
from upgrader.plan.step import Options, Plan
from upgrader.report import text
from upgrader.report.nodes import differences_text
from upgrader.transport.base import Transport

PIN = "nova:controller:upgrade_levels:compute"
FELT: Mapping[str, str] = {
    "qemu": "qemu: instances keep running on the old one until each is started anew or moved",
    "libvirt": "libvirt: libvirtd restarts, instances run on; until it is back nothing can be done to them",
    "openvswitch": "Open vSwitch: when it restarts, instances of that node lose two to five seconds of traffic (measured in the lab)",
}
"""What running instances notice of packages that stay out of an upgrade unless they are included."""


def start(settings: Settings, words: Words) -> None:
    """One stage, or the next ones in their order."""
    while True:
        transport = settings.transport()
        now = Now(transport)
        stage = choose(settings, now, transport, words)
        if stage is None:
            click.echo(f"every node that --target {words.target!r} names is at {now.cloud.path.target.capitalize()}")
            return
        plan = now.plan(PART, stage.stage, Options(rollout=stage.rollout))
        if words.dry_run:
            _show(stage, plan)
            return
        _run(settings, transport, plan, stage, words)
        if words.stage or stage.stage in (ALL, ROLLBACK):
            return


def choose(settings: Settings, now: Now, transport: Transport, words: Words) -> Chosen | None:
    """What would be done, from the model and the journals; no node is asked."""
    if not words.target and words.stage != ROLLBACK:
        raise UsageError("name the nodes with --target, e.g. --target 'cmp*' or --target 'I@nova:compute'")
    every = (*now.cloud.role(COMPUTE), *now.cloud.role(GATEWAY))
    target = resolved(words.target, now.cloud, _pillars(transport, now)) if words.target else every
    return chosen(known(now.cloud, settings.archive, target, words))


def _pillars(transport: Transport, now: Now) -> Any:
    """A node's pillar as the master compiles it, all of them at the first question."""
    held: dict[str, Mapping[str, Any]] = {}

    def pillar(node: str) -> Mapping[str, Any]:
        if not held:
            held.update(transport.pillars(now.cloud.all_nodes))
        return held.get(node, {})

    return pillar


def _show(stage: Chosen, plan: Plan) -> None:
    for sentence in stage.told:
        click.echo(sentence, err=True)
    click.echo(text.plan_text(plan))


def _run(settings: Settings, transport: Transport, plan: Plan, stage: Chosen, words: Words) -> None:
    for sentence in (*stage.told, *_felt(words), *_last(stage), *_pinned(transport, plan)):
        click.echo(sentence, err=True)
    if words.wait and stage_row(PART, stage.stage).asks:
        plans.wait_for_approval(settings, plan, words.approve_within)
    with _within(words.approve_within, plan):
        confirm(plan, words.yes)
    require_same(transport, plan)
    try:
        runs.execute(settings, transport, plan, words.restart, words.output)
    finally:
        if stage.stage == TEST and words.output == "text":
            _show_differences(settings, plan)


def _show_differences(settings: Settings, plan: Plan) -> None:
    """Also of nodes that answered while others did not."""
    newest = settings.archive.last_of(plan.cloud, PART, TEST)
    if newest is not None and newest.digest == plan.digest:
        click.echo(differences_text(newest))


def _pinned(transport: Transport, plan: Plan) -> Iterator[str]:
    """The pin is needed until the last compute is done, so nobody can take it away before; who has it is told beforehand."""
    nodes = [
        node for step in plan.steps() if step.call.function == "upgrader_nova.unpinned" for node in step.call.nodes
    ]
    pillars = transport.pillars(nodes) if nodes else {}
    held = [node for node, pillar in pillars.items() if lookup(pillar, PIN) not in (None, "", "auto")]
    if held:
        yield (
            f"The model of {', '.join(held)} pins nova to the release of before ({PIN}). When the last compute is done this stage "
            f"stops and says so: take it out then, and 'upgrader resume --accept-pillar'"
        )


def _last(stage: Chosen) -> Iterator[str]:
    """What is over with the last compute, said before it."""
    if stage.rollout.closes and stage.rollout.nodes:
        yield (
            "With these nodes no compute is left at the release of before, and behind the last one nothing leads back: nova starts no "
            "compute that is older than all others (ServiceTooOld), and the control plane does not go back beneath newer computes"
        )


def _felt(words: Words) -> Iterator[str]:
    for group, said in FELT.items():
        if any(group in one for one in words.include):
            yield said


@contextmanager
def _within(seconds: int, plan: Plan) -> Iterator[None]:
    """An answer that comes later than this is none: what it was given for may have changed."""

    def over(number: int, frame: object) -> None:
        raise Waiting(
            f"nobody approved plan {plan.digest[:12]} within {seconds} s, and nothing was done: begin again when somebody can"
        )

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
