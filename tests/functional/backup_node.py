"""One masterless minion that is backup node and database node at once, with a real sshd between the two."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import salt.client
import salt.config

from tests.functional.bench import REPOSITORY

PASSWORD = "adm@in/%:#pw"
STATES = ("upgrader.backup.server", "upgrader.backup.client")


class BackupNode:
    """``call`` goes through Salt's real loader; pillar is a dictionary that ``write`` writes down."""

    def __init__(self, root: Path, names: Sequence[str], host: str, port: int, socket: Path) -> None:
        """:param names: databases that may be made as clones; the rest is where the server listens"""
        self.root, self.store = root, root / "store"
        root.chmod(0o755)
        for folder in ("pillar", "cache", "pki", "minion"):
            (root / folder).mkdir()
        admin = {"host": host, "port": port, "user": "shop_admin", "password": PASSWORD}
        users = [{"name": "shop_upgrade", "password": PASSWORD, "host": "%"}]
        self.pillar = {
            "upgrader": {
                "databases": {"admin": admin, "clones": {name: {"users": users} for name in names}},
                "backup": self._backup(socket),
            }
        }
        self._caller: Any = None
        self.write()

    def _backup(self, socket: Path) -> dict[str, Any]:
        key = self.root / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        subprocess.run(["ssh-keygen", "-A"], check=True, capture_output=True)
        host = Path("/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        target = {"host": "localhost", "host_key": " ".join(host[:2]), "private_key": key.read_text()}
        public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
        return {
            "server": {"backup_dir": str(self.store), "key": {"bench": {"enabled": True, "key": public}}},
            "client": {"target": target, "database": {"socket": str(socket)}},
        }

    def write(self) -> None:
        (self.root / "pillar" / "top.sls").write_text("base:\n  '*':\n    - all\n")
        (self.root / "pillar" / "all.sls").write_text(json.dumps(self.pillar))
        self._caller = None

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        if self._caller is None:
            config = self.root / "minion" / "minion"
            settings = {
                "id": "backup.lab.local", "file_client": "local", "root_dir": str(self.root), "cachedir": str(self.root / "cache"),
                "pki_dir": str(self.root / "pki"), "file_roots": {"base": [str(REPOSITORY / "formulas")]}, "state_events": False,
                "pillar_roots": {"base": [str(self.root / "pillar")]}, "log_file": str(self.root / "minion.log"),
                "fileserver_backend": ["roots"],
            }  # fmt: skip
            config.write_text(json.dumps(settings))
            self._caller = salt.client.Caller(mopts=dict(salt.config.minion_config(str(config))))
        return self._caller.cmd(function, *args, **kwargs)

    def sync(self) -> None:
        self.call("saltutil.sync_all")
        self._caller = None

    def apply(self, sls: str, **kwargs: Any) -> dict[str, dict[str, Any]]:
        answer = self.call("state.apply", sls, **kwargs)
        assert isinstance(answer, dict), answer
        return {state["__id__"]: state for state in answer.values()}

    def prepare(self) -> None:
        """What the two states do, done."""
        for sls in STATES:
            states = self.apply(sls)
            assert all(state["result"] for state in states.values()), states


def open_to_the_stores_user(folder: Path) -> None:
    """pytest's own folders are root's alone, and sshd looks for the store as its user."""
    for parent in folder.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    folder.chmod(0o755)
