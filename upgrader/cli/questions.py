"""Questions to nodes outside of a run: this version's modules first, then the question, told like steps. No journal, no change."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing

from upgrader.engine.events import StepFinished, StepStarted, StepWaiting
from upgrader.errors import Refused
from upgrader.plan.blocks.gates import current_gates
from upgrader.plan.step import GATE, Call, Step
from upgrader.report.console import ConsoleObserver
from upgrader.transport.base import Patience, Transport
from upgrader.transport.collect import Waiting, collect
from upgrader.transport.reply import Reply

Replies = dict[str, Reply]


def readiness(nodes: Sequence[str], modules_digest: str) -> tuple[Step, ...]:
    """A node with other modules would answer other questions, or none: it gets this version's and proves it, as in a run."""
    return current_gates(tuple(sorted(set(nodes))), modules_digest)


def question(
    identity: str, title: str, function: str, nodes: Sequence[str], timeout: int = 300, **args: object
) -> Step:
    """One call that reads, as a step that can be shown while it is waited for."""
    return Step(identity, title, Call("module", function, tuple(nodes), args, timeout), GATE, retry_safe=True)


def asked(transport: Transport, steps: Sequence[Step]) -> Replies:
    """What the nodes answer to the last step; an earlier one that a node fails is refused with the node's sentence."""
    with closing(ConsoleObserver()) as console:
        for number, step in enumerate(steps, start=1):
            replies = _ask(transport, step, number, len(steps), console)
            if step is not steps[-1]:
                refuse_failed(replies)
    return replies


def refuse_failed(replies: Mapping[str, Reply]) -> None:
    """Refused with every node's complaint, when there is one."""
    bad = [reply for reply in replies.values() if not reply.ok]
    if bad:
        raise Refused("; ".join(r.error if r.node in r.error else f"{r.node}: {r.error}" for r in bad))


def _ask(transport: Transport, step: Step, number: int, total: int, console: ConsoleObserver) -> Replies:
    started = time.monotonic()
    console.notify(StepStarted(step, number, total))

    def waiting(seconds: float, missing: tuple[str, ...]) -> None:
        console.notify(StepWaiting(step, seconds, missing))

    replies = _needless(_said(transport, step.unless, waiting)) if step.unless else {}
    replies = replies or _said(transport, step.call, waiting)
    ok = all(reply.ok for reply in replies.values())
    console.notify(StepFinished(step, number, total, ok, time.monotonic() - started, replies))
    return replies


def _said(transport: Transport, call: Call, waiting: Waiting) -> Replies:
    jid = transport.new_job_id()
    transport.submit(call, jid)
    return collect(transport, call, jid, Patience(), waiting)


def _needless(replies: Replies) -> Replies:
    """What the nodes say when none of them needs the step, or what is known of those that are silent; else nothing."""
    silent = {node: reply for node, reply in replies.items() if reply.lost}
    return replies if all(reply.ok for reply in replies.values()) else silent
