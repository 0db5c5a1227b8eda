"""The master's event bus as salt-api streams it (server-sent events), in the form that ``Echoes`` listens to."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from upgrader.errors import SaltUnreachable


class EventStream:
    """Keeps the events whose tag begins with ``prefix``, from the moment when it is made."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse, prefix: str) -> None:
        self._connection, self._response, self._prefix = connection, response, prefix
        self._kept: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, name="salt-api events", daemon=True)
        self._reader.start()

    def get_event(self, **how: Any) -> dict[str, Any] | None:
        """The next event's data, or None. Raises SaltUnreachable when the stream has broken: a second answer may have been in it."""
        with contextlib.suppress(queue.Empty):
            return self._kept.get_nowait()
        if self._over.is_set():
            raise SaltUnreachable(
                "salt-api ended its stream of events while the answers of nodes were counted; is salt-api running? Then "
                "'upgrader resume'"
            )
        return None

    def destroy(self) -> None:
        """Leave the bus."""
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, HTTPException, ValueError, AttributeError):
            while line := self._response.readline():
                self._take(line)
        self._over.set()

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"data: "):
            return
        event = json.loads(line[len(b"data: ") :])
        if str(event.get("tag", "")).startswith(self._prefix):
            self._kept.put(event["data"])
