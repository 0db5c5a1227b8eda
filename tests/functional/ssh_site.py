"""Two machines that are reached by ssh alone, in small: two sshd on this one, each with a host key of its own, and no Salt on either."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.functional.salt_site import PILLAR, free_ports, listens, until, write_roots
from tests.support.clouds import lab_pillar, real_pillar
from upgrader.content import FORMULAS

MASTER, NODES = "cfg01.lab.local", ("n1.contract.local", "n2.contract.local")


class SshSite:
    """``start`` starts both sshd, ``stop`` ends them. Everything lies below one folder; nodes keep theirs in ``node-N``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(NODES, free_ports(len(NODES)), strict=True))
        self.key, self.known_hosts, self.roster = folder / "id", folder / "known_hosts", folder / "roster"
        self.config = folder / "etc" / "master"
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._write()

    def start(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)
        for node in NODES:
            self.start_node(node)

    def start_node(self, node: str) -> None:
        home = self.folder / node
        argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(home / "sshd_config")]
        with (home / "log").open("ab") as log:
            self._servers[node] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: listens(self.ports[node]), f"sshd of {node}")

    def stop_node(self, node: str) -> None:
        """No connection any more, and none that is new; what was started there works on."""
        server = self._servers.pop(node, None)
        if server is None:
            return
        sessions = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        server.kill()
        server.wait()
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    @contextlib.contextmanager
    def silenced(self, node: str) -> Iterator[None]:
        """A machine that nobody reaches."""
        self.stop_node(node)
        try:
            yield
        finally:
            self.start_node(node)

    def break_the_way(self) -> None:
        """Every connection breaks; new ones are taken."""
        for node in NODES:
            with self.silenced(node):
                pass

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """No machine is reached."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def stop(self) -> None:
        for node in list(self._servers):
            self.stop_node(node)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def write_roster(self, **more: Mapping[str, Any]) -> None:
        usual = {"host": "127.0.0.1", "user": "root", "priv": str(self.key)}
        nodes = {
            node: {**usual, "port": port, "thin_dir": str(self.folder / node / "thin")}
            for node, port in self.ports.items()
        }
        self.roster.write_text(json.dumps({node: {**said, **more.get(node, {})} for node, said in nodes.items()}))

    def write_cloud(self, folder: Path, real: bool) -> Path:
        """A Salt configuration beside the site's own, whose pillar is that of a whole cloud."""
        pillar, top = real_pillar() if real else lab_pillar(), {}
        (folder / "pillar").mkdir(exist_ok=True)
        for number, (node, said) in enumerate(pillar.items()):
            top[node] = [f"node{number}"]
            (folder / "pillar" / f"node{number}.sls").write_text("#!json\n" + json.dumps(said))
        (folder / "pillar" / "top.sls").write_text(json.dumps({"base": top}))
        config = folder / "master"
        config.write_text(
            json.dumps({**json.loads(self.config.read_text()), "pillar_roots": {"base": [str(folder / "pillar")]}})
        )
        return config

    def _write(self) -> None:
        shutil.copytree(FORMULAS, self.folder / "roots", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("etc", "roots/contract", "pillar", *NODES):
            (self.folder / name).mkdir(parents=True)
        write_roots(self.folder / "roots")
        (self.folder / "pillar" / "top.sls").write_text('{"base": {"*": ["all"]}}')
        (self.folder / "pillar" / "all.sls").write_text(PILLAR)
        _keygen(self.key)
        known = []
        for node in NODES:
            home = self.folder / node
            _keygen(home / "host_key")
            public = (home / "host_key.pub").read_text().split()
            known.append(f"[127.0.0.1]:{self.ports[node]} {public[0]} {public[1]}")
            (home / "authorized_keys").write_text((self.folder / "id.pub").read_text())
            (home / "authorized_keys").chmod(0o600)
            (home / "sshd_config").write_text(
                f"Port {self.ports[node]}\nListenAddress 127.0.0.1\nHostKey {home / 'host_key'}\nPidFile none\nUsePAM no\n"
                f"AuthorizedKeysFile {home / 'authorized_keys'} .ssh/authorized_keys\nPasswordAuthentication no\nStrictModes no\n"
                "PermitRootLogin prohibit-password\nMaxSessions 50\nMaxStartups 50\nSubsystem sftp internal-sftp\n"
            )
        self.known_hosts.write_text("\n".join(known) + "\n")
        self.write_roster()
        self.config.write_text(json.dumps({
            "root_dir": str(self.folder / "salt"), "cachedir": str(self.folder / "salt" / "cache"), "user": "root",
            "pki_dir": str(self.folder / "salt" / "pki"), "pillar_roots": {"base": [str(self.folder / "pillar")]},
            "file_roots": {"base": [str(self.folder / "roots")]}, "log_file": str(self.folder / "salt" / "log"),
            "sock_dir": str(self.folder / "salt" / "sock"), "log_level_logfile": "warning",
        }))  # fmt: skip


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
