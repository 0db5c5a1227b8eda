"""A batch of nodes as steps: each node stands for itself, and what a controller does for them is told by their hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from upgrader.cloud.cloud import Cloud
from upgrader.cloud.roles import COMPUTE, GATEWAY
from upgrader.plan.options import Rollout
from upgrader.plan.references import RUN_ID, hosts_of
from upgrader.plan.step import MINUTE, VERIFY, WORK, Call, Facts, Spread, Step

AT_ONCE = 100
"""So many nodes are asked by one job where a stage has no batches of its own: more would ask one mirror at the same moment."""
READS = "it only reads"


@dataclass(frozen=True)
class Batch:
    """Nodes that are taken through the same steps side by side: the ``number``-th batch of ``total``."""

    cloud: Cloud
    rollout: Rollout
    number: int
    total: int
    nodes: tuple[str, ...]

    def id(self, name: str) -> str:
        """A step's id: ``packages``, or ``b03-packages`` where there are several batches."""
        return name if self.total == 1 else f"b{self.number:0{len(str(self.total))}}-{name}"

    @property
    def hosts(self) -> Mapping[str, str]:
        """Node to its host's name, as nova and neutron list it."""
        return {node: host(node) for node in self.nodes}

    def title(self, what: str) -> str:
        """What a step does, with its batch where there are several."""
        return what if self.total == 1 else f"batch {self.number} of {self.total}: {what}"

    def on_nodes(self, name: str, title: str, function: str, nodes: Iterable[str] = (), **args: Any) -> Step:
        """A module's function on the nodes of the batch (or these of them); it looks at the world first."""
        return self.step(name, title, Call("module", function, tuple(nodes) or self.nodes, args, 10 * MINUTE))

    def step(self, name: str, title: str, call: Call) -> Step:
        """Any call on nodes of the batch: each answers for itself, and the others go on without one that fails."""
        return Step(
            self.id(name), self.title(title), call, WORK, retry_safe=True, no_undo=READS, spread=Spread(AT_ONCE, "100%"),
            batch=self.number,
        )  # fmt: skip

    def by_controller(self, name: str, title: str, function: str, **args: Any) -> Step:
        """A function on the first controller that is about the batch's nodes."""
        call = Call("module", function, self.cloud.controllers[:1], {"run": RUN_ID, **args}, 15 * MINUTE)
        return Step(
            self.id(name), self.title(title), call, WORK, retry_safe=True, no_undo=READS, batch=self.number,
            about=self.nodes,
        )  # fmt: skip


class Line:
    """The steps of one batch, each behind those before it: a node that failed there is not carried on."""

    def __init__(self, batch: Batch, needs: tuple[str, ...]) -> None:
        self.batch, self.steps, self.last = batch, list[Step](), needs

    def then(self, *steps: Step, changes: str = "") -> None:
        """One more step, or several beside each other. ``changes``: they change something, and this says what leads back."""
        kind: dict[str, Any] = {"no_undo": changes} if changes else {"phase": VERIFY, "no_undo": ""}
        self.steps += [replace(step, needs=self.last, **kind) for step in steps]
        self.last = tuple(step.id for step in steps) or self.last

    def closing(self, step: Step, opened: str, no_undo: str) -> None:
        """What is done in any case once step ``opened`` was begun, also after a failure, and whatever a node did meanwhile."""
        self.steps.append(replace(step, needs=(self.batch.id(opened),), always=True, no_undo=no_undo))

    def hosts(self) -> dict[str, Any]:
        """The hosts of the nodes that have done well so far, known when the call is made."""
        return hosts_of(self.last[0], self.batch.hosts)


def gateways(cloud: Cloud) -> tuple[str, ...]:
    """Nodes that carry routers and networks and no instance, in the model's order."""
    return tuple(node for node in cloud.role(GATEWAY) if node not in cloud.role(COMPUTE))


def host(node: str) -> str:
    """A minion's host name: its id without the domain."""
    return node.split(".", 1)[0]


def ready(line: Line, facts: Facts) -> None:
    """The nodes answer, each once, with this version's modules and the pillar of this moment."""
    batch = line.batch
    ping = Call("module", "test.ping", batch.nodes, timeout=MINUTE, once=True)
    same = Call("module", "upgrader_node.modules_current", batch.nodes, {"expected": facts.modules})
    synced = Call("module", "saltutil.sync_all", batch.nodes, {"refresh": True}, 2 * MINUTE)
    line.then(batch.step("answer", "every node answers, and only once", ping))
    line.then(
        replace(batch.step("modules", "send the Salt modules to them", synced), unless=same),
        changes="the nodes have this version's Salt modules",
    )
    line.then(batch.step("current", "they run this version's Salt modules", same))
    line.then(batch.on_nodes("pillar", "they have the pillar of this moment", "upgrader_node.pillar_current"))
