"""A real Salt in small for the transports: one master with salt-api over TLS, two minions, each a process of its own that can be
stopped, killed and started again. Everything lies below one folder and listens on this machine alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tests.support.clouds import lab_pillar

MASTER, NODES = "cfg01.lab.local", ("n1.contract.local", "n2.contract.local")
USER, PASSWORD = "upgrader", "p:ä# w"
START_SECONDS = 90.0
The = TypeVar("The", bound="Startable")


class Startable(Protocol):
    """A site of either kind."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@contextlib.contextmanager
def running(made: The) -> Iterator[The]:
    """A site that is started, and stopped in any case."""
    try:
        made.start()
        yield made
    finally:
        made.stop()


MODULE = '''
import os, time

def value(value):
    return value

def fails(words):
    from salt.exceptions import CommandExecutionError
    raise CommandExecutionError(words)

def breaks():
    return {}["what is not there"]

def many(count):
    return "x" * count

def secret():
    return __pillar__["secret"]

def counted(path, seconds=0):
    """One line a call, so that a call that ran twice is seen."""
    with open(path, "a") as file:
        file.write(__opts__["id"] + "\\n")
    time.sleep(seconds)
    return "counted"

def umask():
    found = os.umask(0)
    os.umask(found)
    return found

def dies():
    os.kill(os.getpid(), 9)
'''
PILLAR = "name: {{ grains['id'] }}\nword: 'Größe ☃'\nsecret: s3cret\n"


def write_roots(roots: Path) -> None:
    """The module and the states that the list of behaviours asks for."""
    (roots / "_modules" / "contract.py").write_text(MODULE)
    (roots / "contract" / "good.sls").write_text("good:\n  test.succeed_without_changes\n")
    (roots / "contract" / "bad.sls").write_text("bad:\n  test.fail_without_changes\n")
    (roots / "contract" / "broken.sls").write_text("{% if %}\n")


def until(seen: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.1)


class Daemon:
    """One of Salt's programs, with its children in a process group of its own."""

    def __init__(self, program: str, config: Path) -> None:
        self._argv = [
            str(Path(sys.executable).with_name(program)),
            "--config-dir",
            str(config),
            "--log-level",
            "warning",
        ]
        self._log = config / f"{program}.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def stop(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It hears nothing and says nothing, like a machine that hangs."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)


class SaltSite:
    """``start`` brings all of it up; ``stop`` ends every process that it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = free_ports(3)
        self.url = f"https://localhost:{self.ports[2]}"
        self.config = folder / "master" / "master"
        self.certificate, self.key = folder / "tls" / "api.crt", folder / "tls" / "api.key"
        self.password_file = folder / "password"
        self._write()
        self.master = Daemon("salt-master", folder / "master")
        self.api = Daemon("salt-api", folder / "master")
        self.minions = {node: Daemon("salt-minion", folder / node) for node in (MASTER, *NODES)}

    def start(self) -> None:
        self.master.start()
        until(lambda: listens(self.ports[1]), "the master's port")
        for minion in self.minions.values():
            minion.start()
        self.restart_api()
        for node in self.minions:
            until(lambda node=node: self.answers(node), f"the answer of {node}")  # type: ignore[misc]
        self._salt("salt", "*", "saltutil.sync_all")

    def answers(self, node: str) -> bool:
        """Asked by the command of Salt, not by a transport."""
        return '": true' in self._salt("salt", "-t", "3", node, "test.ping")

    def _salt(self, program: str, *words: str) -> str:
        argv = [str(Path(sys.executable).with_name(program)), "-c", str(self.config.parent), "--out=json", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False).stdout

    @contextlib.contextmanager
    def silenced(self, node: str) -> Iterator[None]:
        """A node that hears nothing and says nothing."""
        with self.minions[node].frozen():
            yield
        until(lambda: self.answers(node), "the node again")

    def break_the_way(self) -> None:
        """Whoever carries calls and answers dies and is started anew; the nodes work on."""
        self.restart_master()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody carries calls."""
        self.master.stop()
        try:
            yield
        finally:
            self.restart_master()
            until(lambda: all(self.answers(node) for node in NODES), "the nodes again")

    def stop(self) -> None:
        for daemon in (self.api, *self.minions.values(), self.master):
            daemon.stop()

    def restart_master(self) -> None:
        """The same master, with the job cache that it had; minions and salt-api come back to it."""
        self.master.stop()
        self.master.start()
        until(lambda: listens(self.ports[1]), "the master's port")

    def restart_api(self) -> None:
        """salt-api forgets who was logged in."""
        self.api.stop()
        self.api.start()
        until(lambda: listens(self.ports[2]), "salt-api's port")

    def lines(self, name: str) -> list[str]:
        """What module ``contract.counted`` has left in a file."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def token(self) -> str:
        """A token of Salt's own, made by its runner on the master."""
        who = (f"username={USER}", f"password={PASSWORD}", "eauth=file")
        return str(json.loads(self._salt("salt-run", "auth.mk_token", *who))["token"])

    def set_lifetime(self, seconds: int) -> None:
        """How long tokens live that are made from now on."""
        self._write_master(token_expire=seconds)
        self.restart_master()
        self.restart_api()

    @contextlib.contextmanager
    def clone(self, node: str) -> Iterator[None]:
        """A second minion of that id and key."""
        twin = self.folder / "twin"
        shutil.copytree(self.folder / node / "pki", twin / "pki")
        self._write_minion(node, twin)
        daemon = Daemon("salt-minion", twin)
        daemon.start()
        try:
            until(lambda: "is ready to receive" in self._said(twin / "log"), "the second minion")
            yield
        finally:
            daemon.stop()
            shutil.rmtree(twin)

    LOGS = ("log", "access", "error", "salt-master.out", "salt-minion.out", "salt-api.out")

    def _said(self, path: Path) -> str:
        return path.read_text(errors="replace") if path.exists() else ""

    def _write(self) -> None:
        for name in ("master", "tls", "roots/_modules", "roots/contract", "pillar", MASTER, *NODES):
            (self.folder / name).mkdir(parents=True)
        write_roots(self.folder / "roots")
        top = {node: [node.replace(".", "_")] for node in lab_pillar()}
        (self.folder / "pillar" / "top.sls").write_text(json.dumps({"base": {"*.contract.local": ["all"], **top}}))
        for node, pillar in lab_pillar().items():
            (self.folder / "pillar" / f"{node.replace('.', '_')}.sls").write_text(json.dumps(pillar))
        (self.folder / "pillar" / "all.sls").write_text(PILLAR)
        self._accounts()
        self._write_master()
        for node in (MASTER, *NODES):
            self._write_minion(node)

    def _accounts(self) -> None:
        (self.folder / "accounts").write_text(f"{USER}\t{PASSWORD}\nnobody\t{PASSWORD}\n")
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(PASSWORD + "\n")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(self.key), "-out", str(self.certificate)),
            ],
            capture_output=True,
            check=True,
        )  # fmt: skip

    def _write_master(self, **more: Any) -> None:
        accounts = {"^filename": str(self.folder / "accounts"), "^filetype": "text", "^field_separator": "\t"}
        root = self.folder / "master"
        said = {
            "root_dir": str(root), "pki_dir": str(root / "pki"), "cachedir": str(root / "cache"), "sock_dir": str(root / "sock"),
            "interface": "127.0.0.1", "publish_port": self.ports[0], "ret_port": self.ports[1], "auto_accept": True,
            "id": f"{MASTER}_master", "file_roots": {"base": [str(self.folder / "roots")]}, "log_file": str(root / "log"),
            "pillar_roots": {"base": [str(self.folder / "pillar")]}, "worker_threads": 3, "user": "root", "timeout": 5,
            "external_auth": {"file": {**accounts, USER: [".*", "@jobs", "@pillar", "@config"], "nobody": ["test.ping"]}},
            "netapi_enable_clients": ["local_async", "runner"], "pidfile": str(root / "pid"), "api_pidfile": str(root / "api.pid"),
            "rest_cherrypy": {
                "host": "127.0.0.1", "port": self.ports[2], "ssl_crt": str(self.certificate), "ssl_key": str(self.key),
                "log_access_file": str(root / "access"), "log_error_file": str(root / "error"),
            },
            **more,
        }  # fmt: skip
        self.config.write_text(json.dumps(said))
        self.config.with_name("minion").write_text(json.dumps({"id": MASTER}))

    def _write_minion(self, node: str, root: Path | None = None) -> None:
        root = root or self.folder / node
        said = {
            "id": node, "master": "127.0.0.1", "master_port": self.ports[1], "publish_port": self.ports[0], "root_dir": str(root),
            "pki_dir": str(root / "pki"), "cachedir": str(root / "cache"), "sock_dir": str(root / "sock"), "user": "root",
            "log_file": str(root / "log"), "pidfile": str(root / "pid"), "acceptance_wait_time": 1, "recon_max": 1000,
            "random_reauth_delay": 1, "log_level_logfile": "info", "auth_timeout": 3, "grains": {"place": node},
        }  # fmt: skip
        (root / "minion").write_text(json.dumps(said))


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
