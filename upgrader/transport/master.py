"""Transport ``master``: on the Salt master itself, through its local client and its job cache.

Only this package imports salt, and only when a transport is made: the import costs up to a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upgrader.errors import Refused, SaltUnreachable, UsageError
from upgrader.plan.step import Call
from upgrader.transport.echoes import Echoes, heard_once
from upgrader.transport.minions import Minions
from upgrader.transport.pillar import compiled
from upgrader.transport.reply import Reply, judge

DEFAULT_CONFIG = Path("/etc/salt/master")
PROBE_SECONDS = 4.0


class MasterTransport(Minions):
    """See ``Transport``. Needs read access to the master's configuration and sockets, i.e. root or the master's user."""

    def __init__(self, config: Path = DEFAULT_CONFIG, publish_timeout: int = 15) -> None:
        if not config.is_file():
            raise SaltUnreachable(
                f"no Salt master configuration at {config}: run this on the Salt master, or name it with --salt-config"
            )
        logging.getLogger("salt").addHandler(logging.NullHandler())
        logging.getLogger("salt").propagate = False
        import salt.client
        import salt.config

        self._config = config
        self._opts = salt.config.master_config(str(config))
        self._publish_timeout = publish_timeout
        self._client = salt.client.LocalClient(mopts=self._opts)
        self._cache = self._opts["master_job_cache"]
        self._echoes: dict[str, Echoes] = {}

    def master_id(self) -> str:
        """Minion id of this machine, from the minion configuration beside the master's."""
        import salt.config

        minion = self._config.with_name("minion")
        if not minion.is_file():
            raise Refused(
                f"{minion} is missing: the Salt master must be its own minion, because its pillar describes the cloud"
            )
        return str(salt.config.minion_config(str(minion))["id"])

    def pillars(self, nodes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Pillar as the master compiles it; the nodes themselves are not asked, so dead ones are described too."""
        return {node: compiled(self._opts, node) for node in nodes}

    def new_job_id(self) -> str:
        """A job id in Salt's own form (the time, in microseconds)."""
        import salt.utils.jid

        return str(salt.utils.jid.gen_jid(self._opts))

    def submit(self, call: Call, jid: str) -> None:
        """Publish to the exact list of nodes; the master answers whom it published to."""
        if call.kind not in self.kinds:
            raise UsageError(
                f"transport master cannot carry calls of kind {call.kind}; it knows {', '.join(self.kinds)}"
            )
        import salt.exceptions

        if call.once:
            self._echoes[jid] = Echoes(self._bus(), jid)
        try:
            published = self._client.run_job(
                list(call.nodes),
                call.function,
                tgt_type="list",
                jid=jid,
                kwarg=dict(call.args),
                timeout=self._publish_timeout,
            )
        except (salt.exceptions.SaltException, OSError) as error:
            raise SaltUnreachable(
                f"the Salt master does not take jobs ({error}); is salt-master running? Then 'upgrader resume'"
            ) from error
        if not published or published.get("jid") != jid:
            raise SaltUnreachable(
                f"the Salt master published {call} to nobody: none of {', '.join(call.nodes)} has an accepted key; see 'salt-key -L'"
            )

    def is_known(self, jid: str) -> bool:
        """Whether the master's job cache holds the request of this job."""
        return bool(self._client.returners[f"{self._cache}.get_load"](jid))

    def answers(self, call: Call, jid: str) -> dict[str, Reply]:
        """Replies in the job cache, which is where the master puts them before anybody is told."""
        held = self._client.returners[f"{self._cache}.get_jid"](jid)
        replies = {node: judge(call, node, answer) for node, answer in held.items() if isinstance(answer, dict)}
        return heard_once(self._echoes[jid], replies) if jid in self._echoes else replies

    def _bus(self) -> Any:
        import salt.utils.event

        bus = salt.utils.event.get_event("master", sock_dir=self._opts["sock_dir"], opts=self._opts, listen=True)
        bus.connect_pub(timeout=PROBE_SECONDS)
        return bus

    def still_running(self, jid: str, nodes: Sequence[str]) -> dict[str, bool]:
        """Ask with ``saltutil.find_job``. A minion too busy to answer within PROBE_SECONDS is left out, like a dead one.

        Not through ``LocalClient.cmd``: that waits another ten seconds for every minion that is silent.
        """
        import salt.exceptions

        probe = self.new_job_id()
        try:
            self._client.run_job(
                list(nodes), "saltutil.find_job", [jid], tgt_type="list", jid=probe, timeout=self._publish_timeout
            )
        except (salt.exceptions.SaltException, OSError) as error:
            raise SaltUnreachable(
                f"the Salt master stopped answering ({error}); is salt-master running? Then 'upgrader resume'"
            ) from error
        deadline = time.monotonic() + PROBE_SECONDS
        while True:
            held = self._client.returners[f"{self._cache}.get_jid"](probe)
            if len(held) >= len(nodes) or time.monotonic() > deadline:
                return {node: bool(answer.get("return")) for node, answer in held.items() if node in nodes}
            time.sleep(0.1)
