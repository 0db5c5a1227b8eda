"""Transport ``api``: a Salt master elsewhere, through its salt-api. Salt itself is not needed on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from upgrader.errors import Refused, SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport.api.stream import EventStream
from upgrader.transport.echoes import Echoes, heard_once
from upgrader.transport.jobs import JobIds
from upgrader.transport.minions import Minions
from upgrader.transport.pillar import refusal
from upgrader.transport.reply import Reply, judge

PROBE_SECONDS = 8.0
"""As the master's transport has it, and what salt-api takes to carry question and answers besides."""
AT_ONCE = 8
"""Pillars that are compiled at one time."""


class Talk(Protocol):
    """What the transport needs of a ``Session``."""

    def ask(self, chunks: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Questions that may be asked again."""

    def tell(self, chunks: Sequence[Mapping[str, Any]]) -> list[Any]:
        """What is sent once."""

    def events(self) -> Any:
        """The event bus."""


class ApiTransport(Minions):
    """See ``Transport``. Calls are published by ``local_async`` under the job id that was journalled; answers are read from the
    master's job cache by runner ``jobs.list_job``, as the transport of the master reads them there.
    """

    def __init__(self, session: Talk, master: str = "") -> None:
        self._session, self._master = session, master
        self._ids = JobIds()
        self._echoes: dict[str, Echoes] = {}

    def master_id(self) -> str:
        """Minion id of the master's machine: as configured, else the master's own id, which Salt makes by adding ``_master``."""
        if not self._master:
            said = str(self._run("config.get", key="id") or "")
            self._master = said.removesuffix("_master")
        if not self._master:
            raise Refused("the Salt master does not say its id: set master in salt_api to the minion id of its machine")
        return self._master

    def pillars(self, nodes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Pillar as the master compiles it (runner ``pillar.show_pillar``); the nodes themselves are not asked."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(nodes, pool.map(self._pillar, nodes), strict=True))

    def _pillar(self, node: str) -> dict[str, Any]:
        # As grain "id": of a node that has never been up the master has no grains at all.
        said = self._run("pillar.show_pillar", minion=node, id=node)
        wrong = said.get("_errors") if isinstance(said, dict) else [said]
        if wrong or not isinstance(said, dict):
            words = "; ".join(map(str, wrong or []))[:500]
            raise refusal(node, words, "mend the model in reclass, or see the Salt master's log")
        return said

    def new_job_id(self) -> str:
        """A job id in Salt's own form."""
        return self._ids.new()

    def submit(self, call: Call, jid: str) -> None:
        """Publish to the exact list of nodes; salt-api answers whom the master published to."""
        if call.kind not in self.kinds:
            raise UsageError(f"transport api cannot carry calls of kind {call.kind}; it knows {', '.join(self.kinds)}")
        if call.once:
            connection, response = self._session.events()
            self._echoes[jid] = Echoes(EventStream(connection, response, f"salt/job/{jid}/ret/"), jid)
        published = self._publish(call.nodes, call.function, jid, kwarg=dict(call.args))
        if published.get("jid") != jid:
            raise SaltUnreachable(
                f"the Salt master published {call} to nobody: none of {', '.join(call.nodes)} has an accepted key; see 'salt-key -L'"
            )

    def _publish(self, nodes: Sequence[str], function: str, jid: str, **given: Any) -> Mapping[str, Any]:
        low = {"client": "local_async", "tgt": list(nodes), "tgt_type": "list", "fun": function, "jid": jid, **given}
        (published,) = self._session.tell([low])
        return published if isinstance(published, dict) else {}

    def is_known(self, jid: str) -> bool:
        """Whether the master's job cache holds the request of this job."""
        return "Error" not in self._job(jid)

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        """Replies in the master's job cache."""
        held = self._held(jid)
        replies = {node: judge(call, node, answer) for node, answer in held.items() if isinstance(answer, dict)}
        return heard_once(self._echoes[jid], replies) if jid in self._echoes else replies

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Ask with ``saltutil.find_job``. A minion that does not answer within PROBE_SECONDS is left out, like a dead one."""
        probe = self.new_job_id()
        self._publish(nodes, "saltutil.find_job", probe, arg=[jid])
        deadline = time.monotonic() + PROBE_SECONDS
        while True:
            held = self._held(probe)
            if len(held) >= len(nodes) or time.monotonic() > deadline:
                return {node: bool(answer.get("return")) for node, answer in held.items() if node in nodes}
            time.sleep(0.2)

    def _held(self, jid: str) -> Mapping[str, Any]:
        held = self._job(jid).get("Result")
        return held if isinstance(held, dict) else {}

    def _job(self, jid: str) -> Mapping[str, Any]:
        said = self._run("jobs.list_job", jid=jid)
        if not isinstance(said, dict):
            raise SaltUnreachable(
                f"the Salt master does not say what it knows of job {jid}: see its log; then 'upgrader resume'"
            )
        return said

    def _run(self, function: str, **given: str) -> Any:
        """What a runner answers. Raises SaltUnreachable when the runner itself failed."""
        (said,) = self._session.ask([{"client": "runner", "fun": function, "kwarg": given, "full_return": True}])
        found = said.get("data", {}) if isinstance(said, dict) else {}
        if not found.get("success"):
            why = str(found.get("return") or "no answer").strip().splitlines()[-1][:300]
            raise SaltUnreachable(f"runner {function} failed on the Salt master ({why}): see the Salt master's log")
        return found.get("return")
