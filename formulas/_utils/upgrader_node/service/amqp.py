"""Whether a message queue lets an account in: the first six frames of AMQP 0-9-1, as any client sends them.

Asked over the wire because the tool of old releases takes passwords on its command line only, and because a login is what
the services will do. Frames as in the AMQP 0-9-1 specification, sections 2.3.5 and 1.4.
"""

import socket
import struct
import time
import typing

from upgrader_node.errors import StepError

HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_END = 0xCE
CONNECTION, START, TUNE, OPEN_OK, CLOSE = 10, 10, 30, 41, 50
LARGEST = 1 << 17  # bytes; what a queue says before the tuning is far smaller


class QueueRefuses(StepError):
    """Why the queue does not serve this account; one sentence without the password. ``denied`` when it is the account."""

    def __init__(self, sentence: str, denied: bool = False) -> None:
        super().__init__(sentence)
        self.denied = denied


def login(host: str, port: int, user: str, password: str, virtual_host: str, timeout: float = 10.0) -> None:
    """Log in, open the virtual host and leave. Raises QueueRefuses."""
    where = "message queue at {0}:{1}".format(host, port)
    try:
        with socket.create_connection((host, port), timeout) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _talk(wire, where, user, password, virtual_host)
    except (OSError, struct.error) as error:
        raise QueueRefuses("{0} does not answer: {1}".format(where, error)) from None


def wait_for_login(host: str, port: int, user: str, password: str, virtual_host: str, patience: float) -> None:
    """``login``, again and again while nobody listens yet; a refused account is told at once."""
    deadline = time.monotonic() + patience
    while True:
        try:
            login(host, port, user, password, virtual_host)
            return
        except QueueRefuses as error:
            if error.denied or time.monotonic() >= deadline:
                raise
        time.sleep(0.5)


def _talk(wire: socket.socket, where: str, user: str, password: str, virtual_host: str) -> None:
    wire.sendall(HEADER)
    method, _ = _receive(wire, where)
    if method != START:
        raise QueueRefuses("{0} answers another protocol".format(where))
    plain = b"\x00" + user.encode("utf-8") + b"\x00" + password.encode("utf-8")
    _send(wire, 11, struct.pack(">I", 0) + _short(b"PLAIN") + struct.pack(">I", len(plain)) + plain + _short(b"en_US"))
    try:
        method, body = _receive(wire, where)
    except (QueueRefuses, ConnectionError):
        # To a client that does not ask for a reason the queue hangs up instead of saying why.
        raise QueueRefuses("{0} does not let account {1} in".format(where, user), denied=True) from None
    if method != TUNE:
        raise QueueRefuses("{0} does not let account {1} in".format(where, user), denied=True)
    _send(wire, 31, body[:8])
    _send(wire, 40, _short(virtual_host.encode("utf-8")) + _short(b"") + b"\x00")
    method, _ = _receive(wire, where)
    if method != OPEN_OK:
        raise QueueRefuses("{0} does not let {1} into virtual host {2}".format(where, user, virtual_host), denied=True)
    _send(wire, CLOSE, struct.pack(">H", 200) + _short(b"") + struct.pack(">HH", 0, 0))


def _short(text: bytes) -> bytes:
    return struct.pack("B", len(text)) + text


def _send(wire: socket.socket, method: int, arguments: bytes) -> None:
    payload = struct.pack(">HH", CONNECTION, method) + arguments
    wire.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + struct.pack("B", FRAME_END))


def _receive(wire: socket.socket, where: str) -> typing.Tuple[int, bytes]:
    kind, _, size = struct.unpack(">BHI", _exactly(wire, 7, where))
    if kind != 1 or size > LARGEST:
        raise QueueRefuses("{0} answers another protocol".format(where))
    payload = _exactly(wire, size + 1, where)
    if payload[-1] != FRAME_END or len(payload) < 5:
        raise QueueRefuses("{0} answers another protocol".format(where))
    return struct.unpack(">HH", payload[:4])[1], payload[4:-1]


def _exactly(wire: socket.socket, size: int, where: str) -> bytes:
    received = b""
    while len(received) < size:
        part = wire.recv(size - len(received))
        if not part:
            raise QueueRefuses("{0} hangs up".format(where))
        received += part
    return received
