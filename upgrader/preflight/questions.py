"""What the preflight asks of whom: the gates of the stage's own plan, and a table of what no gate asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from upgrader.cloud.cloud import BACKUP, CONTROL, DATABASE, UPGRADE, Cloud
from upgrader.cloud.roles import COMPUTE, GATEWAY, MESSAGE_QUEUE, PROXY, ROLES
from upgrader.plan.step import GATE, MINUTE, Call, Plan

EVERYBODY = tuple(role.name for role in ROLES)
HOSTS, BACKUPS, DATABASES, CLUSTER = "hosts", "backups", "preflight", "cluster-state"
CONFIGURATION, SITE = "config-report", "site-formulas"
READINESS = ("test.ping", "saltutil.sync_all", "upgrader_node.modules_current", "upgrader_node.pillar_current")
"""Asked of every node before all others, whoever's gate it is."""


@dataclass(frozen=True)
class Question:
    """One call, all of whose nodes answer for themselves. ``stops``: a node that fails it, or is silent, stops the upgrade."""

    id: str
    title: str
    call: Call
    stops: bool


@dataclass(frozen=True)
class Own:
    """A question of the preflight's own: to nodes of these roles."""

    id: str
    title: str
    function: str
    roles: tuple[str, ...]
    first: bool = False
    seconds: int = 2 * MINUTE


OWN = (
    Own(HOSTS, "clock, room and versions of every node", "upgrader_standing.host", EVERYBODY),
    Own("replication", "no member of the database cluster holds the others up", "upgrader_standing.replication", (DATABASE,)),
    Own("queue", "the message queue has no alarm, no partition, and is read", "upgrader_standing.queue", (MESSAGE_QUEUE,)),
    Own("haproxy", "every server behind haproxy serves", "upgrader_standing.proxied", (CONTROL, PROXY, DATABASE)),
    Own("matrix", "the new release has the drivers that are configured", "upgrader_standing.matrix", (CONTROL, COMPUTE, GATEWAY)),
    Own("mirrors", "package sources answer", "upgrader_standing.mirrors_reached", (UPGRADE, COMPUTE, GATEWAY)),
    Own(BACKUPS, "when the newest backup was proven", "upgrader_store.receipts", (BACKUP,), first=True),
)  # fmt: skip


def of_stage(cloud: Cloud, plan: Plan, listed: int) -> tuple[Question, ...]:
    """The table, clocks first, and the plan's gates without those that refer to a run.

    ``listed``: how many rows a finding of the databases names.
    """
    return (*_own(cloud), *_gates(plan, listed))


def _gates(plan: Plan, listed: int) -> Iterator[Question]:
    for step in plan.steps():
        if step.phase == GATE and step.call.function not in READINESS and not _refers(step.call.args):
            args = {**step.call.args, "listed": listed} if step.id == DATABASES else step.call.args
            yield Question(step.id, step.title, replace(step.call, args=args), stops=True)


def _own(cloud: Cloud) -> Iterator[Question]:
    for own in OWN:
        nodes = tuple(node for node in cloud.holding(*own.roles))
        nodes = cloud.role(own.roles[0])[:1] if own.first else nodes
        if nodes:
            yield Question(own.id, own.title, Call("module", own.function, nodes, timeout=own.seconds), stops=False)


def _refers(value: Any) -> bool:
    """Whether an argument is only known in a run."""
    if isinstance(value, Mapping):
        return any(str(key).startswith("$") for key in value) or any(_refers(one) for one in value.values())
    return isinstance(value, (list, tuple)) and any(_refers(one) for one in value)


def without(questions: Iterable[Question], nodes: Collection[str]) -> tuple[Question, ...]:
    """The questions to nodes that can answer; one with none left is not asked."""
    left = [
        replace(one, call=replace(one.call, nodes=tuple(node for node in one.call.nodes if node not in nodes)))
        for one in questions
    ]
    return tuple(one for one in left if one.call.nodes)
