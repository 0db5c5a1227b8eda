"""Settling doubt: what became of the jobs of an earlier attempt, and which nodes may be asked again.

A job that still runs on a node is waited for or asked about, never doubled: a node gets a second job only after it has
said that it does not run the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from upgrader.engine.attempt import Attempt, Replies
from upgrader.engine.events import StepStarted
from upgrader.plan.step import Step
from upgrader.transport.collect import still_runs
from upgrader.transport.reply import Reply, at_work, silent


def take_up(attempt: Attempt, step: Step, number: int, total: int) -> None:
    """Wait for the jobs that an earlier attempt left of this step, on the nodes that got them; their answers go into the journal.

    Before any gate is asked anew: our own job may still run on a node, and a gate would take its traces for a fault of the
    cloud. A backup that runs, for one, keeps its node desynchronised, which is what the cluster's gate refuses.
    """
    state, started = attempt.state(step), attempt.clock()
    for jid, nodes in state.jobs.items():
        if not (attempt.transport.is_known(jid) or any(attempt.who_runs(jid, nodes).values())):
            continue
        call = replace(step.call, nodes=nodes, only=None)
        attempt.audience.tell(StepStarted(replace(step, call=call), number, total, reattached=True))
        replies = attempt.wait(step, call, jid, state.seconds or 0.0)
        attempt.record_replies(step, jid, replies)
        attempt.taken_up.setdefault(step.id, {}).update(replies)
        attempt.waited[step.id] = (state.seconds or 0.0) + attempt.clock() - started


def settle(attempt: Attempt, step: Step) -> Replies:
    """What is known by now of the nodes whose part was not. A node that may be asked again is not among them.

    A job that Salt does not know was never published, or is older than the job cache remembers (a day, by default): a step
    that is not retry-safe is not run again on that ground alone.
    """
    replies: Replies = dict(attempt.taken_up.get(step.id, {}))
    for jid, nodes in attempt.state(step).jobs.items():
        unclear = [node for node in nodes if not (node in replies and replies[node].running)]
        known = _settled(attempt, step, jid, unclear) if unclear else {}
        attempt.record_replies(step, jid, known)
        replies = {node: reply for node, reply in replies.items() if node not in unclear} | known
    return replies


def _settled(attempt: Attempt, step: Step, jid: str, nodes: Sequence[str]) -> Replies:
    """Only nodes that say that they do not run the job are decided about; of the others nobody knows more than before."""
    said = attempt.who_runs(jid, nodes)
    idle = [node for node in nodes if said.get(node) is False]
    busy = {node: _not_to_be_doubled(attempt, step, node, jid, said) for node in nodes if node not in idle}
    return busy | (_decide(attempt, step, idle) if idle else {})


def _not_to_be_doubled(attempt: Attempt, step: Step, node: str, jid: str, said: Mapping[str, bool]) -> Reply:
    if said.get(node):
        return at_work(node, still_runs(attempt.transport, node, step.call, jid, attempt.waited.get(step.id, 0.0)))
    return silent(
        node,
        f"{node} does not say whether it still runs {step.call} (job {jid}): {attempt.transport.silent_because(node)}",
    )


def _decide(attempt: Attempt, step: Step, idle: Sequence[str]) -> Replies:
    """Nodes that do not run the job and never said what came of it. None of them is given when they may be asked again."""
    if _is_there(attempt, step, idle):
        comment = {"comment": f"{step.id} was seen to be done by its check"}
        return {node: Reply(node, True, value=comment) for node in idle}
    return {} if step.retry_safe else {node: silent(node, _nobody_knows(step, node)) for node in idle}


def _is_there(attempt: Attempt, step: Step, nodes: Sequence[str]) -> bool:
    """Ask the step's own check whether its effect is there: every node that it asks must say so.

    Of a check on the step's own nodes only those are asked that are in doubt.
    """
    if step.check is None:
        return False
    check = attempt.bound(step.check)
    asked = tuple(nodes) if set(nodes) <= set(check.nodes) else check.nodes
    replies = attempt.ask(step, replace(check, nodes=asked))
    return all(reply.ok and bool(reply.value) for reply in replies.values())


def _nobody_knows(step: Step, node: str) -> str:
    return (
        f"{node} was cut off and nobody knows whether it was done ({step.title}): look there, then "
        f"'upgrader stamp {step.id}' if it was, or --restart the stage"
    )
