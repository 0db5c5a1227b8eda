"""A fleet of simulated nodes for the engine: answers that come late and out of order, and some nodes that fail. No Salt, no node.

Time is told by a clock of its own that only the engine's pauses move: what a run takes on the real clock is the engine's work.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.clock import Clock
from tests.support.salt_in_memory import SaltInMemory
from upgrader.plan.step import Call
from upgrader.transport.reply import Reply, judge

SLOW = {"upgrader_package.upgrade": 120.0, "upgrader_package.difference": 20.0, "saltutil.sync_all": 10.0}
"""Seconds that a node takes at most; two for everything else."""
PACKAGES = 60


def computes(number: int) -> tuple[str, ...]:
    """So many minion ids."""
    return tuple(f"cmp{one:04}.lab.local" for one in range(1, number + 1))


def difference(node: str) -> Mapping[str, Any]:
    """What a compute would say that an upgrade changes: three kinds of nodes, so that there is something to group."""
    kind = int(node[3:7]) % 3
    packages = [
        {
            "name": f"python-{one:02}",
            "from": "1:8.1.2-0ubuntu1",
            "to": f"1:10.0.{kind}-0ubuntu1",
            "size": 120_000 + one,
            "action": "upgrade",
        }
        for one in range(PACKAGES)
    ]
    return {
        "digest": f"{kind}" * 64,
        "packages": packages,
        "sources": ["deb http://mirror/ubuntu xenial-updates/ocata main"],
    }


class Fleet(SaltInMemory):
    """``bad`` share of the nodes fails in what ``fails`` names, the same ones each time until ``mended``."""

    def __init__(self, clock: Clock, bad: float = 0.02, fails: str = "upgrader_package.upgrade", seed: int = 4) -> None:
        super().__init__()
        self.clock, self.fails, self.bad, self.mended = clock, fails, bad, False
        self._chance, self._begun = random.Random(seed), dict[str, float]()
        self._late: dict[str, dict[str, float]] = {}
        self.answer = self._answered

    def is_bad(self, node: str) -> bool:
        """Whether this node is one of those that fail."""
        return random.Random(node).random() < self.bad

    def _answered(self, call: Call, node: str) -> Mapping[str, Any]:
        if call.function == self.fails and self.is_bad(node) and not self.mended:
            return {
                "return": f"ERROR: {node}: dpkg was interrupted: see /var/log/dpkg.log",
                "retcode": 1,
                "success": False,
            }
        if call.kind == "state":
            return {"return": {"a": {"result": True, "changes": {"written": True}}}, "retcode": 0}
        said = (
            difference(node)
            if call.function == "upgrader_package.difference"
            else {"comment": "done as it was asked for"}
        )
        return {"return": said, "retcode": 0, "success": True}

    def submit(self, call: Call, jid: str) -> None:
        super().submit(call, jid)
        most = SLOW.get(call.function, 2.0)
        self._begun[jid] = self.clock()
        self._late[jid] = {node: self._chance.uniform(0.1, most) for node in call.nodes}

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        _, held = self.jobs.get(jid, (call, {}))
        since = self.clock() - self._begun[jid]
        return {node: judge(call, node, answer) for node, answer in held.items() if self._late[jid][node] <= since}

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Nodes whose answer is still on its way work on it."""
        late, since = self._late.get(jid, {}), self.clock() - self._begun.get(jid, 0.0)
        return {node: late.get(node, 0.0) > since for node in nodes}
