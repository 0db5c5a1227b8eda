"""The one door to Salt, as a contract, and the waiting that every transport shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from upgrader.plan.step import Call
from upgrader.transport.reply import Reply, silent


class Transport(Protocol):
    """How calls reach nodes. Submitting and collecting are apart so that a run can be cut between them and go on."""

    def pillars(self, nodes: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        """Pillar of the given nodes, or of every node Salt knows, without asking the nodes. Raises SaltUnreachable."""

    def master_id(self) -> str:
        """Minion id of the machine whose pillar describes the cloud."""

    def new_job_id(self) -> str:
        """A job id to be journalled *before* anything is submitted under it."""

    def submit(self, call: Call, jid: str) -> None:
        """Publish the call under this job id. Returns at once. Raises SaltUnreachable."""

    def is_known(self, jid: str) -> bool:
        """Whether a job with this id was ever published."""

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        """Judged replies that have arrived so far."""

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Ask nodes whether they run the job. A node that does not answer the question is not in the result."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds. ``silence`` is for nodes that do not even say whether they run the job."""

    tick: float = 0.2
    probe_every: float = 5.0
    silence: float = 20.0
    grace: float = 3.0


def collect(
    transport: Transport,
    call: Call,
    jid: str,
    patience: Patience,
    waiting: Callable[[float, tuple[str, ...]], None] = lambda seconds, missing: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Reply]:
    """Wait until every node of the call has answered, was found idle without an answer, fell silent, or time is up.

    Truth comes from the job cache and from asking the nodes, never from events alone. The result has a reply for every
    node of the call. A node that runs the job is waited for until the call's timeout; it keeps running after that, and
    the reply says so.
    """
    started = clock()
    heard: dict[str, float] = dict.fromkeys(call.nodes, started)
    idle_since: dict[str, float] = {}
    replies: dict[str, Reply] = {}
    next_probe = started + patience.probe_every
    while True:
        replies.update({node: reply for node, reply in transport.answers(call, jid).items() if node in call.nodes})
        missing = tuple(node for node in call.nodes if node not in replies)
        now = clock()
        if not missing:
            return replies
        waiting(now - started, missing)
        if now - started > call.timeout:
            return {
                **replies,
                **{
                    n: silent(n, f"{n} did not finish {call} within {call.timeout} s; job {jid} may still run there")
                    for n in missing
                },
            }
        if now >= next_probe:
            _probe(transport, call, jid, missing, heard, idle_since, clock)
            replies.update(_lost(call, missing, heard, idle_since, clock(), patience))
            next_probe = clock() + patience.probe_every
        pause(patience.tick)


def _probe(
    transport: Transport,
    call: Call,
    jid: str,
    missing: Sequence[str],
    heard: dict[str, float],
    idle_since: dict[str, float],
    clock: Callable[[], float],
) -> None:
    running = transport.still_running(jid, missing)
    now = clock()
    for node in missing:
        if node in running:
            heard[node] = now
        if running.get(node):
            idle_since.pop(node, None)
        elif node in running:
            idle_since.setdefault(node, now)


def _lost(
    call: Call,
    missing: Sequence[str],
    heard: Mapping[str, float],
    idle_since: Mapping[str, float],
    now: float,
    patience: Patience,
) -> dict[str, Reply]:
    """Nodes to give up: silent for too long, or idle although they never answered (the answer may still be on its way)."""
    lost: dict[str, Reply] = {}
    for node in missing:
        if now - heard[node] > patience.silence:
            lost[node] = silent(
                node,
                f"{node} does not answer (silent for {now - heard[node]:.0f} s): is the machine up and salt-minion running there?",
            )
        elif node in idle_since and now - idle_since[node] > patience.grace:
            lost[node] = silent(
                node, f"{node} answers but no longer runs {call} and never returned its result (killed or restarted?)"
            )
    return lost
