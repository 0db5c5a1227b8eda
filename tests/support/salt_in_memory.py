"""A Transport for unit tests that keeps jobs in memory. Its spec is ``upgrader.transport.base.Transport`` (test_transport_contract.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from upgrader.errors import SaltUnreachable
from upgrader.plan.step import Call
from upgrader.transport.minions import Minions
from upgrader.transport.reply import Reply, judge

Answer = Callable[[Call, str], Mapping[str, Any] | None]


def named(call: Call) -> str:
    """The function, and of a phase of a service which one: ``upgrader_schema.phase nova db``."""
    phase = (call.args["service"], call.args["phase"]) if call.function == "upgrader_schema.phase" else ()
    return " ".join((call.function, *phase))


class SaltInMemory(Minions):
    """``answer(call, node)`` gives what a node returns, or None for a node that says nothing.

    ``die_after`` names a function; submitting it raises KeyboardInterrupt *after* it was published, like a killed command.
    ``running`` holds (node, job id) pairs of what still runs, and (node, "dead") for a node that does not say.
    """

    def __init__(self, answer: Answer | None = None, pillar: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.answer: Answer = answer or (
            lambda call, node: {"return": {"comment": "fine"}, "retcode": 0, "success": True}
        )
        self.pillar = dict(pillar or {})
        self.jobs: dict[str, tuple[Call, dict[str, Mapping[str, Any]]]] = {}
        self.submitted: list[str] = []
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.running: set[tuple[str, str]] = set()
        self.die_before: str | None = None
        self.die_after: str | None = None
        self.unreachable = False
        self._next = 0

    def master_id(self) -> str:
        return "cfg01.lab.local"

    def pillars(self, nodes: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {node: self.pillar.get(node, {}) for node in nodes}

    def new_job_id(self) -> str:
        self._next += 1
        return f"2017080110150000{self._next:04}"

    def submit(self, call: Call, jid: str) -> None:
        if self.unreachable:
            raise SaltUnreachable("the Salt master does not take jobs; is salt-master running? Then 'upgrader resume'")
        if self.die_before == named(call):
            self.die_before = None
            raise KeyboardInterrupt
        self.submitted.append(named(call))
        self.asked.append((call.function, call.nodes))
        answers = {node: answer for node in call.nodes if (answer := self.answer(call, node)) is not None}
        self.jobs[jid] = (call, answers)
        if self.die_after == named(call):
            self.die_after = None
            raise KeyboardInterrupt

    def is_known(self, jid: str) -> bool:
        return jid in self.jobs

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        _, answers = self.jobs.get(jid, (call, {}))
        return {node: judge(call, node, answer) for node, answer in answers.items()}

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        answering = [node for node in nodes if (node, "dead") not in self.running]
        return {node: (node, jid) in self.running for node in answering}
