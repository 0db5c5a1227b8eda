"""Stands where the package salt does, with a job cache in memory, so that the transport of the master is tested without Salt.

It has what ``upgrader.transport.master`` uses and nothing else. What the real ones answer is seen by the lab's tests.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from upgrader.transport.master import MasterTransport


class SaltException(Exception):
    """As ``salt.exceptions.SaltException``."""


class StubbedSite:
    """A Site (tests/support/transport_contract.py) whose door is the real MasterTransport."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.published: list[tuple[str, tuple[str, ...], Mapping[str, Any]]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.running: dict[tuple[str, str], bool] = {}
        self.compiled: dict[str, Any] = {}
        self.accepted, self.down, self.number = True, False, 0
        self._install(patch)
        config = folder / "master"
        config.write_text("")
        config.with_name("minion").write_text("")
        self.transport = MasterTransport(config)

    def _install(self, patch: pytest.MonkeyPatch) -> None:
        names = ("client", "config", "exceptions", "pillar", "utils", "utils.jid", "utils.minions")
        modules = {name: ModuleType(f"salt.{name}") for name in names}
        root = ModuleType("salt")
        for name, module in modules.items():
            patch.setitem(sys.modules, f"salt.{name}", module)
            parent = modules[name.rpartition(".")[0]] if "." in name else root
            setattr(parent, name.rpartition(".")[2], module)
        patch.setitem(sys.modules, "salt", root)
        contents: dict[str, dict[str, Any]] = {
            "client": {"LocalClient": lambda mopts: self},
            "config": {"master_config": lambda path: {"master_job_cache": "mem"}, "minion_config": lambda path: {"id": "cfg01.lab"}},
            "exceptions": {"SaltException": SaltException},
            "pillar": {"Pillar": lambda opts, grains, node, env: self._Pillar(self, node)},
            "utils.jid": {"gen_jid": self._gen_jid},
            "utils.minions": {"get_minion_data": lambda node, opts: (None, None, None)},
        }  # fmt: skip
        for name, members in contents.items():
            for member, value in members.items():
                setattr(modules[name], member, value)

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
        return f"20170801101500{self.number:06}"

    @property
    def returners(self) -> dict[str, Any]:
        return {
            "mem.get_load": lambda jid: {"fun": self.jobs[jid]["fun"]} if jid in self.jobs else {},
            "mem.get_jid": lambda jid: dict(self.jobs.get(jid, {}).get("returns", {})),
        }

    def run_job(
        self,
        tgt: list[str],
        fun: str,
        arg: Any = (),
        tgt_type: str = "glob",
        jid: str = "",
        kwarg: Mapping[str, Any] | None = None,
        timeout: int = 0,
    ) -> dict[str, Any]:
        assert tgt_type == "list"
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
