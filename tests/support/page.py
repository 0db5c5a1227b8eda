"""The live page on a real socket of this machine, and somebody who looks at it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from upgrader.serve.keys import Keys
from upgrader.serve.server import Address, PageServer, listening
from upgrader.serve.state import State

TOKEN = "a-token-of-the-tests-" + "0123456789" * 3
NOW = "2017-08-01T19:00:00.000+00:00"
DEADLINE = 60
"""Seconds after which an answer that does not come fails a test."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Viewer:
    """A browser without scripts: it keeps the cookie, and says under which name it asks."""

    port: int
    cookie: str = ""
    host: str = ""
    now: list[str] = field(default_factory=lambda: [NOW])

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields), {**kind, **headers})

    def opened(self, token: str = TOKEN) -> Viewer:
        answer = self.get(f"/open?token={token}")
        return Viewer(self.port, answer.headers.get("set-cookie", "").partition(";")[0], self.host)

    @contextmanager
    def follow(self, path: str) -> Iterator[Events]:
        """The changes of a page, as long as the block lasts."""
        line = self._line("GET", f"/events{path}", None, {})
        try:
            yield Events(line.getresponse())
        finally:
            line.close()

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        line = self._line(method, path, body, headers)
        try:
            given = line.getresponse()
            return Answer(
                given.status, {name.lower(): value for name, value in given.getheaders()}, given.read().decode()
            )
        finally:
            line.close()

    def _line(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> http.client.HTTPConnection:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        own = {"Host": self.host or f"127.0.0.1:{self.port}", **({"Cookie": self.cookie} if self.cookie else {})}
        line.request(method, path, body, {**own, **headers})
        return line


class Events:
    """What a viewer is sent."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.bytes = 0

    def next(self) -> dict[str, Any]:
        """The parts of the next event; a stream that ended is an empty one."""
        while line := self.response.readline():
            self.bytes += len(line)
            if line.startswith(b"data: "):
                parts: dict[str, Any] = json.loads(line[6:])["parts"]
                return parts
        return {}


@contextmanager
def served(state: Path, may_approve: bool = False, allowed: tuple[str, ...] = ()) -> Iterator[Viewer]:
    """The page of a state folder, and somebody who has not shown the token yet."""
    with serving(state, may_approve, allowed) as (viewer, _):
        yield viewer


@contextmanager
def serving(
    state: Path, may_approve: bool = False, allowed: tuple[str, ...] = ()
) -> Iterator[tuple[Viewer, PageServer]]:
    """The same with the server, which may be stopped."""
    address = Address("127.0.0.1", 0)
    now = [NOW]
    server = PageServer(State(state, lambda: now[0], may_approve), Keys(TOKEN), address, allowed)
    with listening(address) as listener:
        thread = threading.Thread(target=server.run, args=(listener,), daemon=True)
        thread.start()
        try:
            yield Viewer(listener.getsockname()[1], now=now), server
        finally:
            server.stop()
            thread.join(DEADLINE)
    assert not thread.is_alive()
