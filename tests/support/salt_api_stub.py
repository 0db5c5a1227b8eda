"""A salt-api with a job cache in memory, which answers chunks of low data as the real one does (tests/functional sees that one)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upgrader.errors import SaltUnreachable
from upgrader.transport.api import door
from upgrader.transport.api.door import ApiTransport


class ApiSite:
    """A Site (tests/support/transport_contract.py) whose door is the real ApiTransport; it stands where the Session does."""

    def __init__(self) -> None:
        self.published: list[tuple[str, tuple[str, ...], Mapping[str, Any]]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.running: dict[tuple[str, str], bool] = {}
        self.compiled: dict[str, Any] = {}
        self.runners: dict[str, Any] = {"config.get": lambda key: "cfg01.lab_master"}
        self.accepted, self.down = True, False
        self.transport = ApiTransport(self)

    def ask(self, chunks: Sequence[Mapping[str, Any]]) -> list[Any]:
        return self.tell(chunks)

    def tell(self, chunks: Sequence[Mapping[str, Any]]) -> list[Any]:
        if self.down:
            raise SaltUnreachable(
                "salt-api cannot reach the Salt master; is salt-master running? Then 'upgrader resume'"
            )
        return [self._runner(dict(one)) if one["client"] == "runner" else self._local(dict(one)) for one in chunks]

    def events(self) -> Any:
        raise AssertionError("no call of the contract counts answers")

    def _runner(self, low: dict[str, Any]) -> dict[str, Any]:
        assert low["full_return"]
        known = {"jobs.list_job": self._list_job, "pillar.show_pillar": self._pillar, **self.runners}
        try:
            return {"data": {"success": True, "return": known[low["fun"]](**low["kwarg"])}}
        except LookupError as error:
            return {"data": {"success": False, "return": f"Traceback\nKeyError: {error}"}}

    def _list_job(self, jid: str) -> dict[str, Any]:
        if jid not in self.jobs:
            return {"jid": jid, "Error": "Cannot contact returner or no job with this jid", "Result": {}}
        return {"jid": jid, "Function": self.jobs[jid]["fun"], "Result": dict(self.jobs[jid]["returns"])}

    def _pillar(self, minion: str, id: str) -> Any:
        assert minion == id
        return self.compiled.get(minion, {})

    def _local(self, low: dict[str, Any]) -> dict[str, Any]:
        assert (low["client"], low["tgt_type"]) == ("local_async", "list")
        if not self.accepted:
            return {}
        self.jobs[low["jid"]] = {"fun": low["fun"], "returns": {}}
        if low["fun"] == "saltutil.find_job":
            said = {node: self.running.get((node, low["arg"][0])) for node in low["tgt"]}
            self.jobs[low["jid"]]["returns"] = {
                node: {"return": {"pid": 7} if on else {}} for node, on in said.items() if on is not None
            }
        else:
            self.published.append((low["fun"], tuple(low["tgt"]), dict(low["kwarg"])))
        return {"jid": low["jid"], "minions": low["tgt"]}

    def answers(self, jid: str, node: str, answer: Mapping[str, Any]) -> None:
        self.jobs[jid]["returns"][node] = dict(answer)

    def runs(self, jid: str, node: str, running: bool | None) -> None:
        if running is not None:
            self.running[node, jid] = running

    def away(self) -> None:
        self.down = True

    def pillar(self, node: str, pillar: Mapping[str, Any]) -> None:
        self.compiled[node] = dict(pillar)


PROBE = (door, "PROBE_SECONDS")
"""What a test sets to 0.0 so as not to wait for silent nodes."""
