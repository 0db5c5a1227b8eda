"""Questions to nodes outside of a run: this version's modules first, then the question, told like steps. No journal, no change."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing

from upgrader.engine.events import StepFinished, StepStarted, StepWaiting
from upgrader.errors import Refused
from upgrader.plan.gates import common_gates
from upgrader.plan.step import GATE, Call, Step
from upgrader.report.console import ConsoleObserver
from upgrader.transport.base import Patience, Transport, collect
from upgrader.transport.reply import Reply

Replies = dict[str, Reply]


def readiness(nodes: Sequence[str], formulas_digest: str) -> tuple[Step, ...]:
    """A node with other modules would answer other questions, or none: it gets this version's and proves it, as in a run."""
    return common_gates(tuple(sorted(set(nodes))), formulas_digest)[1:]


def question(
    identity: str, title: str, function: str, nodes: Sequence[str], timeout: int = 300, **args: object
) -> Step:
    """One call that reads, as a step that can be shown while it is waited for."""
    return Step(identity, title, Call("module", function, tuple(nodes), args, timeout), GATE)


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
    started, jid = time.monotonic(), transport.new_job_id()
    console.notify(StepStarted(step, number, total))
    transport.submit(step.call, jid)

    def waiting(seconds: float, missing: tuple[str, ...]) -> None:
        console.notify(StepWaiting(step, seconds, missing))

    replies = collect(transport, step.call, jid, Patience(), waiting)
    ok = all(reply.ok for reply in replies.values())
    console.notify(StepFinished(step, number, total, ok, time.monotonic() - started, replies))
    return replies
