"""The waiting that every transport shares: who has answered, who still works, who is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from upgrader.plan.step import Call
from upgrader.transport.base import Patience, Transport
from upgrader.transport.reply import Reply, at_work, silent

SHORTEST = 0.03
"""Seconds between two looks for the answer to a call that has just begun."""
Waiting = Callable[[float, tuple[str, ...]], None]
Arrived = Callable[[Mapping[str, Reply]], None]


def collect(
    transport: Transport,
    call: Call,
    jid: str,
    patience: Patience,
    waiting: Waiting = lambda seconds, missing: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    arrived: Arrived = lambda replies: None,
    waited: float = 0.0,
) -> dict[str, Reply]:
    """Wait until every node of the call has answered, was found idle without an answer, fell silent, or time is up.

    Truth comes from the job cache and from asking the nodes, never from events alone. The result has a reply for every
    node of the call. A node that runs the job is waited for until the call's timeout and then asked once more: one that says
    that it works on is ``running``, not lost. ``arrived`` is told of each answer once; ``waited`` are the seconds that
    earlier commands have waited for this job.
    """
    wait = _Wait(transport, call, jid, patience, clock, clock(), waited)
    while True:
        asked_at = clock()
        news = wait.news()
        if news:
            arrived(news)
        if not wait.missing():
            return wait.replies
        waiting(clock() - wait.started, wait.missing())
        if clock() - wait.started > call.timeout:
            at_the_end = wait.time_is_up(arrived)
            return {**wait.replies, **at_the_end}
        wait.probe_when_due()
        # Reading the answers of a thousand nodes takes the master a while: it gets four times as long to do other things, but
        # whether time is up is asked when it is.
        left = call.timeout - (clock() - wait.started)
        pause(min(max(_tick(patience, clock() - wait.started), 4 * (clock() - asked_at)), max(left, SHORTEST)))


def _tick(patience: Patience, waited: float) -> float:
    """Most calls take less than a second, and a stage has a hundred: the longer one takes, the more seldom it is asked for."""
    return min(patience.tick, max(SHORTEST, waited / 5))


@dataclass
class _Wait:
    """One job's wait. ``heard`` is when a node last said anything, ``idle`` since when it says that it does not run the job."""

    transport: Transport
    call: Call
    jid: str
    patience: Patience
    clock: Callable[[], float]
    started: float
    waited: float
    replies: dict[str, Reply] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    probed: float | None = None

    def missing(self) -> tuple[str, ...]:
        return tuple(node for node in self.call.nodes if node not in self.replies)

    def news(self) -> dict[str, Reply]:
        """Answers that were not there before, also of a node that had been given up."""
        wanted = {node for node in self.call.nodes if node not in self.replies or self.replies[node].lost}
        news = {node: reply for node, reply in self.transport.answers(self.call, self.jid).items() if node in wanted}
        self.replies.update(news)
        return news

    def probe_when_due(self) -> None:
        if self.clock() < (self.probed or self.started) + self.patience.probe_every:
            return
        self._probe()
        self.replies.update(self._given_up())
        self.probed = self.clock()

    def _probe(self) -> dict[str, bool]:
        missing = self.missing()
        running = self.transport.still_running(self.jid, missing)
        now = self.clock()
        for node in missing:
            if node in running:
                self.heard[node] = now
            if running.get(node):
                self.idle.pop(node, None)
            elif node in running:
                self.idle.setdefault(node, now)
        return running

    def _given_up(self) -> dict[str, Reply]:
        """Silent for too long, or idle although they never answered (the answer may still be on its way)."""
        now, lost = self.clock(), {}
        for node in self.missing():
            quiet = now - self.heard.get(node, self.started)
            if quiet > self.patience.silence:
                lost[node] = silent(node, self._does_not_answer(node, quiet))
            elif node in self.idle and now - self.idle[node] > self.patience.grace:
                lost[node] = silent(node, no_longer_runs(node, self.call))
        return lost

    def _does_not_answer(self, node: str, seconds: float) -> str:
        return f"{node} does not answer (silent for {seconds:.0f} s): {self.transport.silent_because(node)}"

    def time_is_up(self, arrived: Arrived) -> dict[str, Reply]:
        """The last question: who works on? Then the answers once more, because one may have come meanwhile."""
        running = self._probe()
        arrived(self.news())
        waited = self.waited + self.clock() - self.started
        return {node: self._at_the_end(node, running, waited) for node in self.missing()}

    def _at_the_end(self, node: str, running: Mapping[str, bool], waited: float) -> Reply:
        if running.get(node):
            return at_work(node, still_runs(self.transport, node, self.call, self.jid, waited))
        if node in running:
            return silent(node, no_longer_runs(node, self.call))
        return silent(
            node,
            f"{node} did not finish {self.call} within {self.call.timeout} s and does not say whether it still runs job "
            f"{self.jid}",
        )


def still_runs(transport: Transport, node: str, call: Call, jid: str, waited: float) -> str:
    """Which node, which job, how long, and what to type."""
    return f"{node} still runs {call} after {waited:.0f} s (job {jid}); {transport.looked_after(node, jid)}"


def no_longer_runs(node: str, call: Call) -> str:
    """The node is there, the job is not, and nothing came of it."""
    return f"{node} answers but no longer runs {call} and never returned its result (killed or restarted?)"


def who_runs(
    transport: Transport,
    jid: str,
    nodes: Sequence[str],
    patience: Patience,
    clock: Callable[[], float],
    pause: Callable[[float], None],
) -> dict[str, bool]:
    """Ask until each node has said whether it runs the job, or has been silent for as long as patience allows."""
    said: dict[str, bool] = {}
    started = clock()
    while True:
        said.update(transport.still_running(jid, [node for node in nodes if node not in said]))
        if len(said) >= len(nodes) or clock() - started > patience.silence:
            return {node: said[node] for node in nodes if node in said}
        pause(patience.tick)
