"""What the journal's lines make of one step and of its nodes. It goes on where it was, so a line costs what it says and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from upgrader.journal.journal import Record

PENDING, IN_DOUBT, DONE, FAILED, STAMPED, UNDONE = "pending", "in doubt", "done", "failed", "stamped", "undone"
STILL_RUNNING, HELD_UP = "still running", "held up"
SETTLED = (DONE, STAMPED)
DOUBTFUL = (IN_DOUBT, STILL_RUNNING)


@dataclass(frozen=True)
class StepProgress:
    """Where one step is. ``replies`` holds every node's last answer, also those that an earlier attempt settled.

    ``nodes`` are those that the latest attempt asked; ``jobs`` the job ids whose part is not known, with the nodes that got
    them. ``begun_at`` is when its latest attempt began, in UTC. ``held up`` is a step whose nodes all answered well but for some
    that were not asked, as an earlier step failed there: those that the latest attempt ``left_out``.
    """

    state: str = PENDING
    jid: str | None = None
    attempts: int = 0
    seconds: float | None = None
    replies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reason: str = ""
    nodes: tuple[str, ...] = ()
    jobs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    begun_at: str = ""

    def done_nodes(self) -> frozenset[str]:
        """Nodes that did their part."""
        return self._done

    @cached_property
    def _done(self) -> frozenset[str]:
        return frozenset(node for node, reply in self.replies.items() if reply.get("ok"))


class StepFold:
    """The state of one step while its lines are read, one after the other."""

    def __init__(self) -> None:
        self._now = StepProgress()
        self._state, self._replies, self._jobs = PENDING, dict[str, Mapping[str, Any]](), dict[str, str]()
        self._one_job = False

    def take(self, row: Record) -> None:
        """One more line about the step. One of another version's kind changes nothing."""
        taken = _LINES.get(row["event"])
        if taken is not None:
            taken(self, row)

    def progress(self) -> StepProgress:
        """The state by now, as a value that later lines do not change."""
        jobs: dict[str, list[str]] = {}
        for node, jid in self._jobs.items():
            jobs.setdefault(jid, []).append(node)
        now = self._now
        return StepProgress(
            self._state, now.jid, now.attempts, now.seconds, dict(self._replies), now.reason, now.nodes,
            {jid: tuple(nodes) for jid, nodes in jobs.items()}, now.left_out, now.begun_at,
        )  # fmt: skip

    def _started(self, row: Record) -> None:
        """A start without a finish is in doubt. Of earlier attempts stays what is settled, and what nobody knows yet."""
        nodes, doubtful = tuple(row.get("nodes", ())), set(row.get("doubtful", ()))
        kept = {*row.get("settled", ()), *doubtful} - set(nodes)
        self._replies = {node: reply for node, reply in self._replies.items() if node in kept}
        self._jobs = {node: jid for node, jid in self._jobs.items() if node in doubtful and node in kept}
        if row.get("jid"):
            self._jobs.update(dict.fromkeys(nodes, row["jid"]))
        self._state, self._one_job = IN_DOUBT, bool(row.get("jid"))
        attempts = self._now.attempts + 1
        self._now = StepProgress(jid=row.get("jid"), attempts=attempts, nodes=nodes, begun_at=row.get("at", ""))

    def _submitted(self, row: Record) -> None:
        self._now = replace(self._now, jid=row["jid"])

    def _node_started(self, row: Record) -> None:
        self._jobs[row["node"]] = row["jid"]
        self._replies.pop(row["node"], None)

    def _node_finished(self, row: Record) -> None:
        """The last answer to a step's only job says how the step ended, also when nobody came to write its end."""
        self._answered(row["node"], row["jid"], row["reply"])
        if self._one_job and not self._jobs:
            bad = [f"{node}: {reply.get('error')}" for node, reply in self._replies.items() if not reply.get("ok")]
            self._state = FAILED if bad else DONE
            self._now = replace(self._now, reason="; ".join(bad))

    def _answered(self, node: str, jid: str, reply: Mapping[str, Any]) -> None:
        """A reply that says that nobody knows leaves the node with its job."""
        self._replies[node] = reply
        if reply.get("lost") or reply.get("running"):
            self._jobs[node] = jid
        else:
            self._jobs.pop(node, None)

    def _finished(self, row: Record) -> None:
        for node, reply in row["replies"].items():
            self._answered(node, self._jobs.get(node, row["jid"] or ""), reply)
        self._state = DONE if row["ok"] else self._unsettled(row)
        self._now = StepProgress(
            jid=row["jid"], attempts=self._now.attempts, seconds=row["seconds"], reason=row.get("reason", ""),
            nodes=self._now.nodes, left_out=tuple(row.get("left_out", ())), begun_at=self._now.begun_at,
        )  # fmt: skip

    def _unsettled(self, row: Record) -> str:
        """A step of which a node's part is not known is in doubt, whatever the others answered."""
        if any(reply.get("running") for reply in self._replies.values()):
            return STILL_RUNNING
        if self._jobs:
            return IN_DOUBT
        failed = any(not reply.get("ok") for reply in self._replies.values())
        return HELD_UP if row.get("left_out") and not failed else FAILED

    def _stamped(self, row: Record) -> None:
        self._state, self._replies, self._jobs = STAMPED, {}, {}
        self._now = StepProgress(jid=self._now.jid, attempts=self._now.attempts, reason=row["reason"])

    def _undone(self, row: Record) -> None:
        self._state, self._replies, self._jobs = UNDONE, {}, {}
        self._now = StepProgress(jid=self._now.jid, attempts=self._now.attempts)


_LINES: Mapping[str, Callable[[StepFold, Record], None]] = {
    "step-started": StepFold._started,
    "step-submitted": StepFold._submitted,
    "node-started": StepFold._node_started,
    "node-finished": StepFold._node_finished,
    "step-finished": StepFold._finished,
    "step-stamped": StepFold._stamped,
    "step-undone": StepFold._undone,
}
