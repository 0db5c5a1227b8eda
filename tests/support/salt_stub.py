"""Stands where the package salt does, with a job cache in memory, so that the transport of the master is tested without Salt.

It has what ``upgrader.transport.master`` uses and nothing else. What the real ones answer is seen by the lab's tests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from upgrader.transport.master import MasterTransport


class SaltException(Exception):
    """As ``salt.exceptions.SaltException``."""


class Bus:
    """Salt's event bus: ``get_event`` gives the next event of the tag, or None. It hears nothing until it is connected."""

    def __init__(self) -> None:
        self.left = 0
        self.timeout: float | None = None
        self.heard_when_published: list[bool] = []
        self.waiting: list[tuple[str, dict[str, Any]]] = []

    def connect_pub(self, timeout: float | None = None) -> None:
        self.timeout = timeout

    def get_event(self, wait: float, tag: str, match_type: str, no_block: bool) -> dict[str, Any] | None:
        assert match_type == "startswith" and no_block
        assert 0 < wait < 1, "who asks for answers is never held up"
        for number, (name, _event) in enumerate(self.waiting):
            if name.startswith(tag):
                return self.waiting.pop(number)[1]
        return None

    def destroy(self) -> None:
        self.left += 1

    def answer(self, jid: str, node: str) -> None:
        self.waiting.append((f"salt/job/{jid}/ret/{node}", {"id": node}))


class StubbedSite:
    """A Site (tests/support/transport_contract.py) whose door is the real MasterTransport."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.published: list[tuple[str, tuple[str, ...], Mapping[str, Any]]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.running: dict[tuple[str, str], bool] = {}
        self.compiled: dict[str, Any] = {}
        self.grains: dict[str, dict[str, Any]] = {}
        """What the master keeps of each node's grains."""
        self.asked_with: list[tuple[str, Mapping[str, Any], str]] = []
        """Of each pillar that was compiled its node, the grains and the environment."""
        self.waits: list[int | None] = []
        """The timeout of each job that was published."""
        self.late: Callable[[str], Mapping[str, Any]] = lambda jid: {}
        """Answers that come while somebody waits for them."""
        self.bus = Bus()
        self.accepted, self.down, self.number = True, False, 0
        self.config = folder / "master"
        self.config.write_text("")
        self.config.with_name("minion").write_text("id: cfg01.lab\n")
        self.opts = {"master_job_cache": "mem", "sock_dir": "/run/salt"}
        self._install(patch)
        self.transport = MasterTransport(self.config)

    def _install(self, patch: pytest.MonkeyPatch) -> None:
        names = ("client", "config", "exceptions", "pillar", "utils", "utils.event", "utils.jid", "utils.minions")
        modules = {name: ModuleType(f"salt.{name}") for name in names}
        root = ModuleType("salt")
        for name, module in modules.items():
            patch.setitem(sys.modules, f"salt.{name}", module)
            parent = modules[name.rpartition(".")[0]] if "." in name else root
            setattr(parent, name.rpartition(".")[2], module)
        patch.setitem(sys.modules, "salt", root)
        contents: dict[str, dict[str, Any]] = {
            "client": {"LocalClient": lambda mopts: self._ours(mopts, self)},
            "config": {"master_config": self._master_config, "minion_config": self._minion_config},
            "exceptions": {"SaltException": SaltException},
            "pillar": {"Pillar": self._pillar_of},
            "utils.event": {"get_event": self._get_event},
            "utils.jid": {"gen_jid": self._gen_jid},
            "utils.minions": {"get_minion_data": lambda node, opts: self._ours(opts, (None, self.grains.get(node), None))},
        }  # fmt: skip
        for name, members in contents.items():
            for member, value in members.items():
                setattr(modules[name], member, value)

    def _ours(self, opts: Any, given: Any) -> Any:
        """Something that Salt gives to whoever shows the master's own options."""
        assert opts is self.opts
        return given

    def _master_config(self, path: str) -> dict[str, Any]:
        assert path == str(self.config)
        return self.opts

    def _minion_config(self, path: str) -> dict[str, Any]:
        key, value = Path(path).read_text().split(":")
        return {key: value.strip()}

    def _pillar_of(self, opts: Any, grains: Mapping[str, Any], node: str, env: str) -> _Pillar:
        self.asked_with.append((node, grains, env))
        return self._ours(opts, self._Pillar(self, node))  # type: ignore[no-any-return]

    def _get_event(self, node: str, sock_dir: str = "", opts: Any = None, listen: bool = True) -> Bus:
        assert (node, sock_dir, listen) == ("master", self.opts["sock_dir"], True)
        return self._ours(opts, self.bus)  # type: ignore[no-any-return]

    class _Pillar:
        def __init__(self, site: StubbedSite, node: str) -> None:
            self.site, self.node = site, node

        def compile_pillar(self) -> Any:
            pillar = self.site.compiled.get(self.node, {})
            if isinstance(pillar, Exception):
                raise pillar
            return pillar

    def _gen_jid(self, opts: Any) -> str:
        self.number += 1
        return self._ours(opts, f"20170801101500{self.number:06}")  # type: ignore[no-any-return]

    @property
    def returners(self) -> dict[str, Any]:
        return {
            "mem.get_load": lambda jid: {"fun": self.jobs[jid]["fun"]} if jid in self.jobs else {},
            "mem.get_jid": lambda jid: {**self.jobs.get(jid, {}).get("returns", {}), **self.late(jid)},
        }

    def run_job(
        self,
        tgt: list[str],
        fun: str,
        arg: Any = (),
        tgt_type: str = "glob",
        jid: str = "",
        kwarg: Mapping[str, Any] | None = None,
        timeout: int | None = None,
    ) -> dict[str, Any]:
        assert tgt_type == "list"
        self.waits.append(timeout)
        self.bus.heard_when_published.append(self.bus.timeout is not None)
        if self.down:
            raise SaltException("Salt request timed out")
        if not self.accepted:
            return {}
        self.jobs[jid] = {"fun": fun, "returns": {}}
        if fun == "saltutil.find_job":
            said = {node: self.running.get((node, arg[0])) for node in tgt}
            self.jobs[jid]["returns"] = {
                n: {"return": {"pid": 7} if on else {}} for n, on in said.items() if on is not None
            }
        else:
            self.published.append((fun, tuple(tgt), dict(kwarg or {})))
        return {"jid": jid, "minions": tgt}

    def answers(self, jid: str, node: str, answer: Mapping[str, Any]) -> None:
        self.jobs[jid]["returns"][node] = dict(answer)

    def runs(self, jid: str, node: str, running: bool | None) -> None:
        if running is not None:
            self.running[node, jid] = running

    def away(self) -> None:
        self.down = True

    def pillar(self, node: str, pillar: Mapping[str, Any]) -> None:
        self.compiled[node] = dict(pillar)
