"""Many calls at once: all are submitted, then each is waited for. One that is slow keeps none of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from upgrader.plan.step import Call
from upgrader.transport.base import Patience, Transport
from upgrader.transport.collect import collect
from upgrader.transport.reply import Reply

Replies = Mapping[str, Reply]
Told = Callable[[str, float, tuple[str, ...]], None]
"""A call's name, for how long it has been waited for, and the nodes that have not answered."""


@dataclass(frozen=True)
class Answered:
    """What the nodes of a call said, and the seconds since 1970 between which they said it."""

    replies: Replies
    sent: float
    received: Mapping[str, float]


def together(
    transport: Transport,
    calls: Mapping[str, Call],
    waiting: Told = lambda name, seconds, missing: None,
    now: Callable[[], float] = time.time,
) -> dict[str, Answered]:
    """Each call's answers, by the name that it was given. Raises SaltUnreachable."""
    sent: dict[str, tuple[str, float]] = {}
    for name, call in calls.items():
        jid, at = transport.new_job_id(), now()
        transport.submit(call, jid)
        sent[name] = (jid, at)
    return {name: _one(transport, name, calls[name], *sent[name], waiting, now) for name in calls}


def _one(
    transport: Transport, name: str, call: Call, jid: str, at: float, waiting: Told, now: Callable[[], float]
) -> Answered:
    received: dict[str, float] = {}

    def arrived(replies: Replies) -> None:
        received.update(dict.fromkeys(replies, now()))

    replies = collect(
        transport, call, jid, Patience(), lambda seconds, missing: waiting(name, seconds, missing), arrived=arrived
    )
    return Answered(replies, at, received)


def ready(
    transport: Transport, nodes: Sequence[str], modules: str, waiting: Told
) -> tuple[tuple[str, ...], dict[str, Reply]]:
    """The nodes that have this version's modules and the pillar of this moment, and what the others said.

    The modules are sent to a node that answers and has others: it would answer other questions, or none.
    """
    current = Call("module", "upgrader_node.modules_current", tuple(nodes), {"expected": modules})
    said = dict(together(transport, {"modules": current}, waiting)["modules"].replies)
    stale = tuple(node for node, reply in said.items() if not reply.ok and not reply.lost)
    if stale:
        sync = Call("module", "saltutil.sync_all", stale, {"refresh": True}, 120)
        together(transport, {"modules sent": sync}, waiting)
        again = Call("module", "upgrader_node.modules_current", stale, {"expected": modules})
        said |= together(transport, {"modules": again}, waiting)["modules"].replies
    good = tuple(node for node, reply in said.items() if reply.ok)
    pillar = Call("module", "upgrader_node.pillar_current", good)
    taken = together(transport, {"pillar": pillar}, waiting)["pillar"].replies if good else {}
    bad = {node: reply for node, reply in {**said, **taken}.items() if not reply.ok}
    return tuple(node for node in good if node not in bad), bad
