"""A database node on disk for tests of a kept member: its server is a few files, so that a killed process leaves what it had done."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from upgrader_node.database.local_server import LocalServer
from upgrader_node.restore import exchange, kept, kept_facts, membership, servers, service_control
from upgrader_node.restore import swap as folders

UUID = "e12cdfdb-e6f5-11f1-8054-7a58c7ac52de"
NODE, OTHER = "dbs03.lab.local", "dbs01.lab.local"
GIVEN: dict[str, Any] = {"id": "run-1", "node": NODE, "galera": {"name": "c", "uuid": UUID, "seqno": 518}}
MEMBERS = 3


class World:
    """One node: ``mysql`` is its data directory; ``server.json`` says whether a server runs, and how it was started."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.datadir = folder, folder / "mysql"
        self.datadir.mkdir()
        (self.datadir / "ibdata1").write_text("rows")
        self.say(runs=True, seqno=518, enabled=True, size=MEMBERS)
        self.write_state(-1)
        self.server = LocalServer(NODE, SimpleNamespace(), {})
        self.unit = service_control.Server("mariadb", str(self.datadir), self.salt())
        self._patch(patch)

    def salt(self) -> dict[str, Any]:
        return {
            "service.enabled": lambda name: self.said()["enabled"],
            "service.enable": lambda name: self.say(enabled=True) or True,
            "service.disable": lambda name: self.say(enabled=False) or True,
        }

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(kept_facts, "datadir", lambda: str(self.datadir))
        patch.setattr(servers, "unit", lambda salt: self.unit)
        patch.setattr(servers, "state", lambda unit: "active" if self.said()["runs"] else "inactive")
        patch.setattr(servers, "stop", lambda unit, datadir, timeout: self.stop())
        patch.setattr(servers, "holders", lambda datadir: [])
        patch.setattr(servers, "forget_founding", lambda: None)
        patch.setattr(membership, "view", lambda server: self.view())
        patch.setattr(membership, "found_cluster", lambda start, own, timeout: self.found())
        patch.setattr(membership, "join", lambda server, receipt, run, timeout, salt: self.join())
        patch.setattr(exchange, "owner", lambda: (self.folder.stat().st_uid, self.folder.stat().st_gid))
        patch.setattr(exchange.local_server, "datadir", lambda which: str(self.datadir))

    def said(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "server.json").read_text()))

    def say(self, **changed: Any) -> None:
        path, new = self.folder / "server.json", self.folder / "server.new"
        held = json.loads(path.read_text()) if path.exists() else {"starts": []}
        new.write_text(json.dumps({**held, **changed}))
        new.replace(path)

    def write_state(self, seqno: int, uuid: str = UUID, founding: bool = False) -> None:
        (self.datadir / folders.GALERA_STATE).write_text(folders.galera_state(uuid, seqno, founding))

    def view(self) -> dict[str, Any]:
        said = self.said()
        if not said["runs"]:
            return {"refused": "database at socket cannot be reached"}
        return {
            "galera": True, "name": "c", "address": "gcomm://a,b,c", "uuid": UUID, "seqno": said["seqno"], "size": said["size"],
            "cluster_status": said.get("status", "Primary"), "state": said.get("comment", "Synced"), "ready": True, "desync": False,
        }  # fmt: skip

    def stop(self) -> bool:
        ran = self.said()["runs"]
        if ran:
            self.write_state(self.said()["seqno"])
            self.say(runs=False)
        return bool(ran)

    def start(self, how: str) -> None:
        (self.datadir / "ibdata1").write_text("rows")
        self.write_state(-1)
        self.say(runs=True, starts=[*self.said()["starts"], how])

    def found(self) -> dict[str, Any]:
        """As the real one: a server that runs as a primary already is only waited for."""
        if not self.said()["runs"]:
            assert folders.saved_state(str(self.datadir))["safe_to_bootstrap"] == "1"
            self.start("founded")
        return {"comment": "founded in 1 s", "changed": True}

    def join(self) -> dict[str, Any]:
        if not self.said()["runs"]:
            self.start("joined")
        return {"comment": "synced after 1 s, IST", "transfer": "IST", "changed": True}

    def receipt(self, run: str = "run-1") -> dict[str, Any]:
        held = kept.read(str(self.datadir), run)
        assert held is not None
        return held

    def pass_time(self) -> None:
        """So that a file that is written again has another time."""
        time.sleep(0.002)
