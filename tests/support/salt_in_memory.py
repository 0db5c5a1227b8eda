"""A Transport for unit tests that keeps jobs in memory. Its spec is ``upgrader.transport.base.Transport`` (test_transport_contract.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from upgrader.errors import SaltUnreachable
from upgrader.plan.step import Call
from upgrader.transport.reply import Reply, judge

Answer = Callable[[Call, str], Mapping[str, Any] | None]


class SaltInMemory:
    """``answer(call, node)`` gives what a node returns, or None for a node that says nothing.

    ``die_at`` names a function; submitting it raises KeyboardInterrupt *after* it was published, like a killed command.
    """

    def __init__(self, answer: Answer | None = None, pillar: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.answer: Answer = answer or (
            lambda call, node: {"return": {"comment": "fine"}, "retcode": 0, "success": True}
        )
        self.pillar = dict(pillar or {})
        self.jobs: dict[str, tuple[Call, dict[str, Mapping[str, Any]]]] = {}
        self.submitted: list[str] = []
        self.running: set[tuple[str, str]] = set()
        self.die_before: str | None = None
        self.die_after: str | None = None
        self.unreachable = False
        self._next = 0

    def master_id(self) -> str:
        return "cfg01.lab.local"

    def pillars(self, nodes: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        return {node: self.pillar.get(node, {}) for node in (nodes if nodes is not None else self.pillar)}

    def new_job_id(self) -> str:
        self._next += 1
        return f"2017080110150000{self._next:04}"

    def submit(self, call: Call, jid: str) -> None:
        if self.unreachable:
            raise SaltUnreachable("the Salt master does not take jobs; is salt-master running? Then 'upgrader resume'")
        if self.die_before == call.function:
            self.die_before = None
            raise KeyboardInterrupt
        self.submitted.append(call.function)
        answers = {node: answer for node in call.nodes if (answer := self.answer(call, node)) is not None}
        self.jobs[jid] = (call, answers)
        if self.die_after == call.function:
            self.die_after = None
            raise KeyboardInterrupt

    def is_known(self, jid: str) -> bool:
        return jid in self.jobs

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        return {node: judge(call, node, answer) for node, answer in self.jobs[jid][1].items()}

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        answering = [node for node in nodes if (node, "dead") not in self.running]
        return {node: (node, jid) in self.running for node in answering}
