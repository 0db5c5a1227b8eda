"""One machine's connection: opened with a pinned host key or not at all, kept, opened again when it broke. What stands in its way is one sentence."""

from __future__ import annotations

import contextlib
import json
import logging
import shlex
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upgrader.content import FORMULAS
from upgrader.transport.ssh.roster import Host

TOOL = FORMULAS / "_utils" / "upgrader_node" / "spool" / "tool.py"
ANSWER_SECONDS = 120.0
OLDEST_PYTHON = (3, 7)
READ_AND_RUN = "import sys; exec(compile(sys.stdin.buffer.read(int(sys.argv[1])), 'tool.py', 'exec'))"
Answer = dict[str, Any]


class OutOfReach(Exception):
    """A machine that cannot be used now; the message is one sentence about it, with the remedy."""


class Link:
    """The connection to one host. Several threads may use it."""

    def __init__(self, host: Host, known_hosts: Path) -> None:
        self.host, self._known_hosts = host, known_hosts
        self._client: Any = None
        self._lock = threading.Lock()
        self._tool = TOOL.read_bytes()

    def ask(self, request: Mapping[str, Any], more: bytes = b"") -> Answer:
        """What the tool on the machine answers to a request. Raises OutOfReach.

        A connection that was kept may have died meanwhile, as behind a firewall: then the question is asked once more, on a new
        one. Every request may be: a job is never begun twice under one id.
        """
        body = self._tool + json.dumps(request).encode("ascii") + b"\n" + more
        try:
            return self._exchange(self._connected(), body)
        except _broken():
            self.close()
        try:
            return self._exchange(self._connected(), body)
        except _broken() as error:
            self.close()
            raise OutOfReach(
                f"{self.host.node}: the connection broke twice ({_why(error)}): look at the network"
            ) from error

    def close(self) -> None:
        """Leave the machine."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, EOFError):
                client.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is not None and self._client.get_transport() and self._client.get_transport().is_active():
                return self._client
            self._client = None
            self._client = _open(self.host, self._known_hosts)
            return self._client

    def _exchange(self, client: Any, body: bytes) -> Answer:
        """The tool's text goes in first, so that nothing of it has to lie there, then the request."""
        channel = client.get_transport().open_session(timeout=self.host.seconds)
        try:
            channel.settimeout(ANSWER_SECONDS)
            channel.exec_command(self._command())
            with contextlib.suppress(OSError):  # it may end before it has read everything; then its words say why
                channel.sendall(body)
                channel.shutdown_write()
            said, words = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
            return self._understood(channel.recv_exit_status(), said, words.decode("utf-8", "replace"))
        finally:
            channel.close()

    def _command(self) -> str:
        python = ["python3", "-c", READ_AND_RUN, str(len(self._tool))]
        path = ["env", f"PATH={self.host.path}"] if self.host.path else []
        return shlex.join([*(["sudo", "-n"] if self.host.sudo else []), *path, *python])

    def _understood(self, code: int, said: bytes, words: str) -> Answer:
        with contextlib.suppress(ValueError):
            if code == 0:
                answer: Answer = json.loads(said)
                return answer
        last = (words.strip().splitlines() or ["no word"])[-1][:300]
        node, user = self.host.node, self.host.user
        if self.host.sudo and code == 127:
            raise OutOfReach(f"{node}: there is no sudo ({last}): install it, or let root log in by key")
        if "sudo:" in words:
            raise OutOfReach(
                f"{node}: user {user} may not do everything without a password ({last}): allow it in sudoers"
            )
        if code in (126, 127) or "not found" in words:
            raise OutOfReach(
                f"{node}: user {user} cannot run python3 there ({last}): install it, or say set_path in the roster"
            )
        raise OutOfReach(
            f"{node}: its Python cannot do what was asked ({last}): Python 3.7 or newer is needed there, and room"
        )


def diagnosed(link: Link, request: Mapping[str, Any]) -> Answer:
    """Name, port, host key, login, Python, rights: what the machine says of itself. Raises OutOfReach with the first that is not so."""
    seen = link.ask(request)
    node, user = link.host.node, link.host.user
    if tuple(seen["python"]) < OLDEST_PYTHON:
        raise OutOfReach(
            f"{node}: python3 there is {'.'.join(map(str, seen['python']))}, and Salt needs 3.7 or newer: say set_path in the "
            "roster where a newer one is"
        )
    if seen["uid"] != 0:
        raise OutOfReach(
            f"{node}: user {user} is not root there: say 'sudo: True' in the roster, and allow it in sudoers"
        )
    return seen


def _broken() -> tuple[type[Exception], ...]:
    """How a connection that broke shows."""
    import paramiko

    return (paramiko.SSHException, OSError, EOFError)


def _open(host: Host, known_hosts: Path) -> Any:
    import paramiko

    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    logging.getLogger("paramiko").propagate = False
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        client.load_host_keys(str(known_hosts))
        client.connect(
            host.address, host.port, host.user, key_filename=host.key, look_for_keys=False, allow_agent=False,
            timeout=host.seconds, banner_timeout=host.seconds, auth_timeout=host.seconds, channel_timeout=host.seconds,
        )  # fmt: skip
    except Exception as error:
        client.close()
        raise OutOfReach(f"{host.node}: {_in_the_way(host, known_hosts, error)}") from error
    return client


def _in_the_way(host: Host, known_hosts: Path, error: Exception) -> str:
    import paramiko

    where = f"{host.address} port {host.port}"
    if isinstance(error, socket.gaierror):
        return f"nobody knows the name {host.address}: correct host in the roster, or the resolver"
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"{where} has another host key than {known_hosts} says: somebody stands between, or the machine was made anew; compare "
            f"it with 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' on its console before you write the new one down"
        )
    if isinstance(error, paramiko.AuthenticationException):
        return f"sshd at {where} does not let user {host.user} in with key {host.key}: put its public part into authorized_keys there"
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        return f"{known_hosts} has no host key of {where}: read it on the machine's console, write it there; none is ever accepted unseen"
    if isinstance(error, paramiko.SSHException):
        return f"no ssh connection to {where} ({_why(error)}): is sshd well there, and key {host.key} one without a passphrase?"
    if isinstance(error, FileNotFoundError) or (isinstance(error, OSError) and error.filename):
        return f"{getattr(error, 'filename', '')} cannot be read ({_why(error)}): correct known_hosts of salt_ssh, or priv in the roster"
    return f"nothing answers at {where} ({_why(error)}): is the machine up, and sshd running there?"


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")[:300]
