"""Logging in to a message queue, against a small server that says what AMQP 0-9-1 says (sections 1.4 and 2.3.5)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from upgrader_node.service import amqp
from upgrader_node.service.amqp import QueueRefuses

PASSWORD = "s3cret"


def frame(method: int, arguments: bytes = b"") -> bytes:
    """Frame type 1 (method), channel 0, class 10 (connection), frame end 206."""
    payload = struct.pack(">HH", 10, method) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


# connection.start: version 0-9, empty table, two long strings; tune: channels, frame size, heartbeat; open-ok: a short string.
START = frame(
    10, b"\x00\x09" + struct.pack(">I", 0) + struct.pack(">I", 5) + b"PLAIN" + struct.pack(">I", 5) + b"en_US"
)
TUNE = frame(30, struct.pack(">HIH", 2047, 131072, 60))
OPEN_OK, CLOSE_OK = frame(41, b"\x00"), frame(51)
CLOSE = frame(50, struct.pack(">H", 530) + b"\x04no!!" + struct.pack(">HH", 10, 40))


class Heard:
    """What the client said, in order."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire, self.frames = wire, []

    def exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self.wire.recv(size - len(found))
            if not part:
                raise ConnectionError
            found += part
        return found

    def frame(self) -> tuple[int, bytes]:
        kind, channel, size = struct.unpack(">BHI", self.exactly(7))
        payload = self.exactly(size + 1)
        assert (kind, channel, payload[-1]) == (1, 0, 0xCE)
        self.frames.append((struct.unpack(">HH", payload[:4])[1], payload[4:-1]))
        return self.frames[-1]


Script = Callable[[Heard], None]


@contextmanager
def queue(*scripts: Script) -> Iterator[tuple[int, list[Heard]]]:
    """A server for as many clients as there are scripts."""
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[Heard] = []

    def serve() -> None:
        for script in scripts:
            wire, _ = server.accept()
            wire.settimeout(5)
            heard.append(Heard(wire))
            with wire:
                try:
                    script(heard[-1])
                except ConnectionError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], heard
    thread.join(5)
    server.close()
    assert not thread.is_alive()


def says(*answers: bytes) -> Script:
    """Header, then one answer for each frame of the client's; tune-ok has none."""

    def script(heard: Heard) -> None:
        assert heard.exactly(8) == b"AMQP\x00\x00\x09\x01"
        for answer in answers:
            heard.wire.sendall(answer)
            if heard.frame()[0] == 31:
                heard.frame()

    return script


def resets(heard: Heard) -> None:
    heard.exactly(8)
    heard.wire.sendall(START)
    heard.frame()
    heard.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hangs_up(heard: Heard) -> None:
    heard.exactly(8)
    heard.wire.sendall(START)
    heard.frame()


def login(port: int, virtual_host: str = "/openstack", timeout: float = 5) -> None:
    amqp.login("127.0.0.1", port, "openstack", PASSWORD, virtual_host, timeout)


def test_a_login_says_what_the_specification_wants() -> None:
    with queue(says(START, TUNE, OPEN_OK)) as (port, heard):
        login(port)
    start_ok, tune_ok, opened, close = heard[0].frames
    plain = b"\x00openstack\x00" + PASSWORD.encode()
    assert start_ok == (11, struct.pack(">I", 0) + b"\x05PLAIN" + struct.pack(">I", len(plain)) + plain + b"\x05en_US")
    assert tune_ok == (31, struct.pack(">HIH", 2047, 131072, 60))
    assert opened == (40, b"\x0a/openstack\x00\x00") and close[0] == 50 and close[1].startswith(struct.pack(">H", 200))


def refusal(port: int, **arguments: float) -> QueueRefuses:
    with pytest.raises(QueueRefuses) as caught:
        login(port, **arguments)  # type: ignore[arg-type]
    assert PASSWORD not in str(caught.value) and f"127.0.0.1:{port}" in str(caught.value)
    return caught.value


@pytest.mark.parametrize("script", [hangs_up, resets, says(START, CLOSE)], ids=["hangs up", "resets", "says why"])
def test_a_refused_account_is_told_however_the_queue_says_it(script: Script) -> None:
    with queue(script) as (port, _):
        refused = refusal(port)
    assert refused.denied and "does not let account openstack in" in str(refused)


def test_a_refused_virtual_host_is_told() -> None:
    with queue(says(START, TUNE, CLOSE)) as (port, _):
        refused = refusal(port)
    assert refused.denied and "does not let openstack into virtual host /openstack" in str(refused)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"AMQP\x00\x01\x00\x00",
        b"5.5.5-10.11.9-MariaDB\x00more",
        frame(10)[:-1] + b"\x00",
        frame(20),
        struct.pack(">BHI", 1, 0, 2) + b"ab\xce",
    ],
    ids=["http", "amqp 1.0", "mysql", "frame end", "method", "short"],
)
def test_another_protocol_is_told_and_is_no_refused_account(answer: bytes) -> None:
    def script(heard: Heard) -> None:
        heard.exactly(8)
        heard.wire.sendall(answer)

    with queue(script) as (port, _):
        refused = refusal(port)
    assert not refused.denied and "answers another protocol" in str(refused)


def test_a_queue_that_hangs_up_at_once_or_says_nothing_does_not_answer() -> None:
    with queue(lambda heard: heard.wire.close()) as (port, _):
        assert not refusal(port).denied
    silent = threading.Event()
    with queue(lambda heard: silent.wait(2)) as (port, _):  # type: ignore[func-returns-value]
        assert "does not answer" in str(refusal(port, timeout=0.05))
        silent.set()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_nobody_is_waited_for_as_long_as_patience_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [0.0], []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(amqp.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(amqp.time, "sleep", sleep)
    with pytest.raises(QueueRefuses, match="does not answer"):
        amqp.wait_for_login("127.0.0.1", closed_port(), "a", PASSWORD, "/", 2)
    assert sum(waited) == 2


def test_a_queue_that_comes_up_is_found_and_a_refused_account_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(amqp.time, "sleep", slept.append)
    with queue(lambda heard: heard.wire.close(), says(START, TUNE, OPEN_OK)) as (port, _):
        amqp.wait_for_login("127.0.0.1", port, "openstack", PASSWORD, "/openstack", 30)
    assert len(slept) == 1
    with queue(hangs_up) as (port, _), pytest.raises(QueueRefuses):
        amqp.wait_for_login("127.0.0.1", port, "openstack", PASSWORD, "/openstack", 30)
    assert len(slept) == 1
