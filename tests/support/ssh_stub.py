"""Machines in memory, which answer the requests of transport ssh as ``upgrader_node/spool/tool.py`` does (that one has its own tests)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from upgrader.config.access import SaltSsh
from upgrader.transport.ssh import door, thin
from upgrader.transport.ssh.door import SshTransport
from upgrader.transport.ssh.link import OutOfReach
from upgrader.transport.ssh.roster import Host

NODES = ("n1.lab", "n2.lab")
HOSTS = {node: Host(node, node, 22, "root", "/key", False, "/thin") for node in NODES}


class SshSite:
    """A Site (tests/support/transport_contract.py) whose door is the real SshTransport; links, roster and pillar are made up."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.published: list[tuple[str, tuple[str, ...], Mapping[str, Any]]] = []
        self.jobs: dict[tuple[str, str], dict[str, Any] | None] = {}
        self.running: dict[tuple[str, str], bool | None] = {}
        self.compiled: dict[str, dict[str, Any]] = {}
        self.laid: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.out_of_reach: dict[str, str] = {}
        self.seen: dict[str, Any] = {"uid": 0, "python": [3, 11], "thin": "3008.4", "formulas": True}
        patch.setattr(door, "hosts_of", lambda opts, roster: dict(HOSTS))
        patch.setattr(door, "compiled", lambda opts, node: dict(self.compiled.get(node, {})))
        patch.setattr(door, "Link", lambda host, known: _Link(self, host))
        patch.setattr(thin, "version", lambda: "3008.4")
        patch.setattr(thin, "lay", self._lay)
        patch.setattr(door, "options_of", lambda config: {})
        config = folder / "master"
        config.write_text("")
        self.transport = SshTransport(SaltSsh(folder / "roster", folder / "known", "cfg01.lab"), config)

    def _lay(self, opts: Any, roster: Path, known: Path, hosts: list[Host]) -> dict[str, str]:
        self.laid += [host.node for host in hosts]
        return {}

    def answers(self, jid: str, node: str, answer: Mapping[str, Any]) -> None:
        self.jobs[node, jid] = dict(answer)

    def runs(self, jid: str, node: str, running: bool | None) -> None:
        self.running[node, jid] = running

    def away(self) -> None:
        self.out_of_reach = dict.fromkeys(NODES, "nothing answers: is the machine up?")

    def pillar(self, node: str, pillar: Mapping[str, Any]) -> None:
        self.compiled[node] = dict(pillar)


class _Link:
    def __init__(self, site: SshSite, host: Host) -> None:
        self.site, self.host = site, host

    def ask(self, request: Mapping[str, Any], more: bytes = b"") -> dict[str, Any]:
        site, node = self.site, self.host.node
        site.requests.append((node, request["do"]))
        if node in site.out_of_reach:
            raise OutOfReach(f"{node}: {site.out_of_reach[node]}")
        if request["do"] == "look":
            return dict(site.seen)
        if request["do"] == "place":
            assert len(more) == request["bytes"]
            return {"placed": True}
        if request["do"] == "start":
            site.jobs[node, request["jid"]] = None
            site.published.append((request["function"], (node,), request["args"]))
            return {"started": True}
        (jid,) = request["jids"]
        if request["do"] == "known":
            return {jid: (node, jid) in site.jobs}
        if request["do"] == "replies":
            held = site.jobs.get((node, jid))
            return {} if held is None else {jid: held}
        said = site.running.get((node, jid), False)
        if said is None:
            raise OutOfReach(f"{node}: it hangs")
        return {jid: said}
