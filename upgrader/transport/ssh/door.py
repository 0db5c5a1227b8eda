"""Transport ``ssh``: machines without a Salt master. Each call is a job of its own on the machine, detached from the connection.

salt-ssh lays Salt there once. The reply waits on the machine until somebody fetches it, so that a connection that breaks or a command
that is killed costs nothing: the next one finds the job by its id, running or done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from upgrader.config.access import SaltSsh
from upgrader.errors import SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport.jobs import JobIds
from upgrader.transport.pillar import compiled
from upgrader.transport.reply import Reply, judge, silent
from upgrader.transport.ssh import bundle, thin
from upgrader.transport.ssh.link import Answer, Link, OutOfReach, diagnosed
from upgrader.transport.ssh.roster import Host, hosts_of

AT_ONCE = 25
RAREST = 3.0
FRESH_PILLAR = "upgrader_node.pillar_current"
"""The question that, of a minion, has the pillar taken anew; here the pillar of the next calls is compiled anew."""
LACKS = {
    "upgrader_key": "it is about keys of minions on a Salt master, and there is none",
    "upgrader_site": "it asks the site's own Salt, and there is none",
}
"""Modules whose functions make no sense without a master."""


class Asking:
    """When to ask about a job again: after a twentieth of the time for which it has been asked about."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def is_due(self, jid: str) -> bool:
        """Whether to ask now; then that is noted."""
        now = self._clock()
        age = now - self._first.setdefault(jid, now)
        due = jid not in self._last or now - self._last[jid] >= min(RAREST, age / 20)
        if due:
            self._last[jid] = now
        return due


class SshTransport:
    """See ``Transport``. ``config`` is a Salt configuration with file_roots and pillar as a master has it; no master runs."""

    kinds: tuple[str, ...] = ("module", "state")
    lacks: Mapping[str, str] = LACKS
    carrier: str = "ssh"

    def __init__(self, access: SaltSsh, config: Path) -> None:
        if not config.is_file():
            raise SaltUnreachable(
                f"no Salt configuration at {config}: name it with --salt-config; pillar is compiled by it"
            )
        self._access = access
        self._opts = options_of(config)
        self._hosts = hosts_of(self._opts, access.roster)
        self._links = {node: Link(host, access.known_hosts) for node, host in self._hosts.items()}
        self._ids = JobIds()
        self._pillar: dict[str, dict[str, Any]] = {}
        self._ready: set[str] = set()
        self._lost: dict[str, dict[str, str]] = {}
        self._had: dict[str, dict[str, Reply]] = {}
        self._why: dict[str, str] = {}
        self._asking = Asking()

    def master_id(self) -> str:
        """The machine whose pillar describes the cloud, as configured."""
        return self._access.master

    def pillars(self, nodes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Pillar as this machine compiles it."""
        self._pillar.update({node: compiled(self._opts, node) for node in nodes})
        return {node: self._pillar[node] for node in nodes}

    def new_job_id(self) -> str:
        """A job id in Salt's own form."""
        return self._ids.new()

    def submit(self, call: Call, jid: str) -> None:
        """Start the job on each machine that can be reached; of the others a sentence each is kept as their answer."""
        if call.kind not in self.kinds:
            raise UsageError(f"transport ssh cannot carry calls of kind {call.kind}; it knows {', '.join(self.kinds)}")
        if call.function == FRESH_PILLAR:
            self._pillar = {node: held for node, held in self._pillar.items() if node not in call.nodes}
        self.pillars([node for node in call.nodes if node not in self._pillar])
        lost = self._made_ready(call.nodes)
        _, more = self._each(
            [node for node in call.nodes if node not in lost], lambda node: self._start(node, call, jid)
        )
        self._lost[jid] = {**lost, **more}
        if len(self._lost[jid]) == len(call.nodes):
            raise SaltUnreachable(f"{call} reached nobody: {'; '.join(self._lost[jid].values())}")

    def _start(self, node: str, call: Call, jid: str) -> Answer:
        job = {"jid": jid, "function": call.function, "args": dict(call.args), "pillar": self._pillar[node]}
        return self._link(node).ask({"do": "start", **self._place(node), **job})

    def is_known(self, jid: str) -> bool:
        """Whether any machine of the roster has ever begun this job. Raises SaltUnreachable when none can be asked."""
        said, lost = self._each(list(self._hosts), lambda node: self._ask(node, "known", jid))
        if lost and not said:
            raise SaltUnreachable("; ".join(lost.values()))
        return any(known[jid] for known in said.values())

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        """Replies that wait on the machines. Each is fetched once; what made a machine unreachable at the start is told once.

        The longer a job takes, the rarer is it asked about, up to every RAREST seconds: each question starts a Python there.
        """
        had, lost = self._had.setdefault(jid, {}), self._lost.pop(jid, {})
        wanted = [node for node in call.nodes if node not in had and node not in lost]
        if self._asking.is_due(jid):
            said, _ = self._each(wanted, lambda node: self._ask(node, "replies", jid))
            had.update({node: judge(call, node, held[jid]) for node, held in said.items() if jid in held})
        return {**had, **{node: silent(node, why) for node, why in lost.items()}}

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Whether the job's lock is held there. A machine that cannot be reached is left out."""
        said, _ = self._each(nodes, lambda node: self._ask(node, "running", jid))
        return {node: bool(running[jid]) for node, running in said.items()}

    def silent_because(self, node: str) -> str:
        """What stood in the way when the machine was last asked."""
        return self._why.get(node, "is the machine up, and sshd running there?")

    def looked_after(self, node: str, jid: str) -> str:
        """The job's own process there, by the order that it was given."""
        return f"'pgrep -fa jobs/{jid}/order' on {node} shows it and 'pkill -f jobs/{jid}/order' ends it"

    def _ask(self, node: str, what: str, jid: str) -> Answer:
        return self._link(node).ask({"do": what, **self._place(node), "jids": [jid]})

    def _place(self, node: str) -> dict[str, str]:
        host = self._host(node)
        return {"node": node, "base": f"{self._access.spool}/{node}", "thin": host.thin, "version": bundle.version()}

    def _made_ready(self, nodes: Sequence[str]) -> dict[str, str]:
        """Salt and this version's formulas lie on each machine. What stands in the way, by node."""
        new = [node for node in nodes if node not in self._ready]
        seen, lost = self._each(new, self._look)
        bare = [self._host(node) for node, state in seen.items() if state["thin"] != thin.version()]
        if bare:
            lost.update(_of(thin.lay(self._opts, self._access.roster, self._access.known_hosts, bare)))
        empty = [node for node, state in seen.items() if node not in lost and not state["formulas"]]
        _, more = self._each(empty, self._send_formulas)
        lost.update(more)
        self._ready.update(node for node in new if node not in lost)
        return lost

    def _look(self, node: str) -> Answer:
        return diagnosed(self._link(node), {"do": "look", **self._place(node)})

    def _send_formulas(self, node: str) -> Answer:
        body = bundle.archive()
        return self._link(node).ask({"do": "place", **self._place(node), "bytes": len(body)}, body)

    def _each(self, nodes: Sequence[str], do: Callable[[str], Answer]) -> tuple[dict[str, Answer], dict[str, str]]:
        """Ask machines side by side: what they answered, and a sentence for each that is out of reach."""

        def one(node: str) -> Answer | str:
            try:
                return do(node)
            except OutOfReach as error:
                return str(error)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            came = dict(zip(nodes, pool.map(one, nodes), strict=True))
        lost = {node: said for node, said in came.items() if isinstance(said, str)}
        self._why = {**{node: why for node, why in self._why.items() if node not in came}, **lost}
        return {node: said for node, said in came.items() if not isinstance(said, str)}, lost

    def _host(self, node: str) -> Host:
        try:
            return self._hosts[node]
        except KeyError:
            raise OutOfReach(f"{node}: roster {self._access.roster} has no machine of that id: add it") from None

    def _link(self, node: str) -> Link:
        self._host(node)
        return self._links[node]


def options_of(config: Path) -> dict[str, Any]:
    """Salt's options as a file of configuration says them; files are read here, and no master is asked."""
    import salt.config

    return {**salt.config.client_config(str(config)), "file_client": "local"}


def _of(wrong: Mapping[str, str]) -> dict[str, str]:
    return {node: f"{node}: {why}" for node, why in wrong.items()}
