"""A TCP proxy as a cloud's haproxy is one: it drops a connection over which nothing went for a while, without a word."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from typing import Any


class Proxy:
    """Listens on a port of its own and leads to ``server``; ``idle`` is the timeout of both sides, in seconds."""

    def __init__(self, server: tuple[str, int], idle: float) -> None:
        self._server, self._idle = server, idle
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._pairs: dict[socket.socket, tuple[socket.socket, list[float]]] = {}
        self._asked_to_cut, self._ended = threading.Event(), threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._ended.set()
        self._thread.join()
        self._listening.close()

    def cut(self) -> None:
        """Close every connection now, as a failover does."""
        self._asked_to_cut.set()
        deadline = time.monotonic() + 10
        while self._asked_to_cut.is_set():
            assert time.monotonic() < deadline, "the proxy does not cut"
            time.sleep(0.01)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as chosen:
            chosen.register(self._listening, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in chosen.select(0.05):
                    self._accept(chosen) if key.fileobj is self._listening else self._pass_on(chosen, key.fileobj)
                self._drop(chosen, self._asked_to_cut.is_set())
                self._asked_to_cut.clear()
            self._drop(chosen, True)

    def _accept(self, chosen: selectors.BaseSelector) -> None:
        client, server, seen = self._listening.accept()[0], socket.create_connection(self._server), [time.monotonic()]
        for one, other in ((client, server), (server, client)):
            self._pairs[one] = (other, seen)
            chosen.register(one, selectors.EVENT_READ)

    def _pass_on(self, chosen: selectors.BaseSelector, one: Any) -> None:
        if one not in self._pairs:
            return
        other, seen = self._pairs[one]
        try:
            text = one.recv(65536)
            other.sendall(text)
        except OSError:
            text = b""
        seen[0] = time.monotonic()
        if not text:
            self._close(chosen, one)

    def _drop(self, chosen: selectors.BaseSelector, everything: bool) -> None:
        for one in list(self._pairs):
            if one in self._pairs and (everything or time.monotonic() - self._pairs[one][1][0] > self._idle):
                self.dropped += 1
                self._close(chosen, one)

    def _close(self, chosen: selectors.BaseSelector, one: socket.socket) -> None:
        for side in (one, self._pairs[one][0]):
            chosen.unregister(side)
            del self._pairs[side]
            side.close()
