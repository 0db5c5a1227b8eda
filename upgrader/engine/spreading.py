"""Carrying out one step: on all of its nodes at once, or spread over them in batches until the budget for failures is used up.

Intent, effect, result: in this order, each on disk before the next. A node that is settled is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from upgrader.engine.attempt import Attempt, Replies
from upgrader.engine.doubt import settle
from upgrader.engine.events import BatchFinished, StepFinished, StepStarted
from upgrader.engine.results import reason_of
from upgrader.plan.amounts import count_of
from upgrader.plan.step import Call, Spread, Step
from upgrader.transport.reply import Reply


@dataclass(frozen=True)
class Part:
    """What is left to do of a step: the bound call, the nodes that are done, known by now, or to be asked."""

    step: Step
    number: int
    total: int
    call: Call
    done: frozenset[str]
    known: Replies
    ask: tuple[str, ...]
    left_out: Mapping[str, str]


def carry_out(
    attempt: Attempt, step: Step, number: int, total: int, left_out: Mapping[str, str], whole: bool = False
) -> None:
    """Bring a step as far as it goes. ``whole``: nodes that were done are asked again too; ``left_out`` are not asked at all."""
    started = attempt.clock()
    known = settle(attempt, step)
    done = frozenset() if whole else attempt.state(step).done_nodes() - set(known)
    call = _chosen(attempt, step, known, done)
    out = () if step.about else left_out
    ask = tuple(node for node in call.nodes if node not in known and node not in done and node not in out)
    if step.unless and ask:
        attempt.audience.tell(StepStarted(replace(step, call=replace(call, nodes=ask)), number, total))
        known |= _spared(attempt, step, replace(step.unless, nodes=ask))
        ask = tuple(node for node in ask if node not in known)
    part = Part(step, number, total, call, done, known, ask, left_out)
    replies, not_asked = _submit(attempt, part) if ask else ({}, "")
    seconds = attempt.waited.get(step.id, 0.0) + attempt.clock() - started
    _finish(attempt, part, {**known, **replies}, not_asked, seconds)


def _spared(attempt: Attempt, step: Step, unless: Call) -> Replies:
    """Nodes on which nothing needs to be done: they say so themselves. Of the others, silent ones included, nothing is said here."""
    replies = attempt.ask(step, attempt.bound(unless))
    spared = {node: replace(reply, value=_nothing_to_do(reply)) for node, reply in replies.items() if reply.ok}
    if step.spread:
        attempt.record_replies(step, "", spared)
    return spared


def _nothing_to_do(reply: Reply) -> dict[str, str]:
    said = reply.value.get("comment", "") if isinstance(reply.value, Mapping) else ""
    return {"comment": f"nothing to do: {said}" if said else "nothing to do"}


def _chosen(attempt: Attempt, step: Step, known: Replies, done: Set[str]) -> Call:
    """The call with the nodes that it goes to. One that goes to a single node of several stays with the one that got it."""
    call = attempt.bound(step.call)
    got_it = tuple(known) or tuple(sorted(done))
    return replace(call, nodes=got_it) if step.call.only and got_it else call


def _submit(attempt: Attempt, part: Part) -> tuple[Replies, str]:
    """The answers, and a sentence when the budget was used up before every node was asked."""
    spread = part.step.spread
    jid = attempt.transport.new_job_id() if spread is None else None
    doubtful = [node for node, reply in part.known.items() if reply.running or reply.lost]
    attempt.record(
        "step-started", step=part.step.id, jid=jid, args=dict(part.call.args), nodes=list(part.ask),
        settled=sorted(part.done | {node for node in part.known if node not in doubtful}), doubtful=doubtful,
    )  # fmt: skip
    if not part.step.unless:
        shown = replace(part.step, call=replace(part.call, nodes=part.ask))
        attempt.audience.tell(StepStarted(shown, part.number, part.total))
    if jid is not None:
        return _job(attempt, part.step, replace(part.call, nodes=part.ask), jid), ""
    assert spread is not None
    return _batches(attempt, part, spread)


def _job(attempt: Attempt, step: Step, call: Call, jid: str) -> Replies:
    attempt.transport.submit(call, jid)
    attempt.record("step-submitted", step=step.id, jid=jid)
    return attempt.wait(step, call, jid)


def _batches(attempt: Attempt, part: Part, spread: Spread) -> tuple[Replies, str]:
    """Batch after batch while no more nodes have failed than may. A node that is lost or works on has failed, for the budget."""
    total = len(part.call.nodes)
    budget, replies = count_of(spread.max_failures, total), Replies()
    for batch in batches(part.ask, spread, total):
        failed = _failed(part, replies)
        if failed > budget:
            left = len(part.ask) - len(replies)
            return replies, f"{failed} of {total} nodes failed and {budget} may: {left} were not asked"
        replies.update(_batch(attempt, part.step, replace(part.call, nodes=batch)))
        failed = _failed(part, replies)
        done = len(part.done) + len(part.known) + len(replies) - failed
        attempt.audience.tell(BatchFinished(part.step, done, failed, total))
    return replies, ""


def _failed(part: Part, replies: Replies) -> int:
    return sum(not reply.ok for reply in (part.known | replies).values())


def _batch(attempt: Attempt, step: Step, call: Call) -> Replies:
    """Each node's intent is on disk before the job is published, and each answer as it comes."""
    jid = attempt.transport.new_job_id()
    attempt.record_nodes("node-started", step, jid, {node: {} for node in call.nodes})
    attempt.transport.submit(call, jid)
    attempt.record("step-submitted", step=step.id, jid=jid)
    written: set[str] = set()

    def arrived(news: Mapping[str, Reply]) -> None:
        attempt.record_replies(step, jid, news)
        written.update(news)

    replies = attempt.wait(step, call, jid, arrived=arrived)
    attempt.record_replies(step, jid, {node: reply for node, reply in replies.items() if node not in written})
    return replies


def batches(nodes: Sequence[str], spread: Spread, total: int) -> Iterator[tuple[str, ...]]:
    """At least one node at a time; all of them when no batch is said."""
    size = max(1, count_of(spread.batch, total)) if spread.batch else max(1, len(nodes))
    for start in range(0, len(nodes), size):
        yield tuple(nodes[start : start + size])


def _finish(attempt: Attempt, part: Part, replies: Replies, not_asked: str, seconds: float) -> None:
    """The step is done when every node of the call is. What nodes of a spread step said has its own lines."""
    step, good = part.step, part.done | {node for node, reply in replies.items() if reply.ok}
    ok = good >= set(part.call.nodes) and all(reply.ok for reply in replies.values())
    ok = ok and not (step.about and part.left_out)
    reason = "" if ok else reason_of(replies.values(), part.left_out, not_asked)
    told = {} if step.spread else {node: reply.to_json() for node, reply in replies.items()}
    attempt.record(
        "step-finished", step=step.id, jid=attempt.state(step).jid, ok=ok, seconds=round(seconds, 3), replies=told,
        reason=reason, left_out=sorted(part.left_out),
    )  # fmt: skip
    attempt.audience.tell(StepFinished(step, part.number, part.total, ok, seconds, replies, reason))
