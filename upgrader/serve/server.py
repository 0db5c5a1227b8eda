"""Listening, serving and ending. Nothing of a request is logged: an address may hold the token."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvicorn

from upgrader.errors import UsageError
from upgrader.serve.app import application
from upgrader.serve.guard import names_of
from upgrader.serve.keys import Keys
from upgrader.serve.state import State

PATIENCE = 3
"""Seconds that an answer has when the server ends; streams end by themselves sooner."""


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(given: str) -> Address:
    """``127.0.0.1:8123``, ``[::1]:8123``. Raises UsageError for anything else."""
    try:
        parts = urlsplit(f"//{given}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.netloc != given or parts.username is not None:
        raise UsageError(f"--listen {given} is no HOST:PORT, such as 127.0.0.1:8123 or [::1]:8123")
    return Address(host, port)


def listening(address: Address) -> socket.socket:
    """A socket that takes connections. Raises UsageError where that address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(f"cannot listen on {address}: {error.strerror}; name another address with --listen") from error


class PageServer:
    """One page on one socket, until it is told to stop: by a signal, or with ``stop`` from another thread."""

    def __init__(self, state: State, keys: Keys, address: Address, allowed: tuple[str, ...]) -> None:
        names = names_of(address.host, allowed)
        app = application(state, keys, names, lambda: self._server.should_exit)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False, proxy_headers=False,
                timeout_graceful_shutdown=PATIENCE,
            )
        )  # fmt: skip

    def run(self, listener: socket.socket) -> None:
        """Serve until the end. Raises KeyboardInterrupt when that was Ctrl-C."""
        self._server.run(sockets=[listener])

    def stop(self) -> None:
        """Close the streams, finish what is being answered, end."""
        self._server.should_exit = True
