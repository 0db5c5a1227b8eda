"""ICMP echoes out of a network namespace, as ``ping`` sends them, by sockets of our own: many ways at once.

A socket belongs to the namespace in which it was made (setns(2)), so one process asks from all of them. An echo can leave in the
name of an address that is not this namespace's, an instance's in its router (IP_TRANSPARENT): it takes that instance's way out,
by its rules and through its translation. Its answer is seen where it comes in and goes on to the instance, which drops it.
"""

import contextlib
import ctypes
import os
import socket
import struct
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.netns import space

CLONE_NEWNET = 0x40000000
# No packet waits longer than that (seconds): more is a clock that was set meanwhile.
AGO = 60.0
IP_TRANSPARENT, SO_ATTACH_FILTER, SO_TIMESTAMP, ETH_P_IP = 19, 26, 29, 0x0800
ECHO, ANSWER = 8, 0
PADDING = b"upgrader".ljust(48, b".")
HEAD, BODY = struct.Struct("!BBHHH"), struct.Struct("!II")


class Way(typing.NamedTuple):
    """From where to where an echo goes. ``source`` is empty for the address that the kernel chooses; the node itself has no name."""

    namespace: str
    address: str
    source: str = ""


@contextlib.contextmanager
def inside(namespace: str) -> typing.Iterator[None]:
    """The block's sockets belong to that namespace. Raises OSError when it is gone."""
    if not namespace:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    with _opened("/proc/thread-self/ns/net") as own, _opened(os.path.join(space.FOLDER, namespace)) as other:
        _enter(libc, other)
        try:
            yield
        finally:
            _enter(libc, own)


@contextlib.contextmanager
def _opened(path: str) -> typing.Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(libc: typing.Any, descriptor: int) -> None:
    if libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Echo:
    """The two ends of a way: echoes are sent, and their answers read, without ever waiting."""

    def __init__(self, way: Way, token: int) -> None:
        """Raises OSError when the namespace is gone. ``token``: what tells this way's echoes from all others, 32 bits."""
        self.way, self.token = way, token
        self.identity = identity(way.namespace)
        with contextlib.ExitStack() as opened, inside(way.namespace):
            self.sender = opened.enter_context(_sender(way.source))
            # What is answered to another than this namespace is no raw socket's: it is seen on its way in (packet(7)).
            self.receiver = opened.enter_context(_listener()) if way.source else self.sender
            _only(self.receiver, token)
            self.receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
            opened.pop_all()

    def send(self, number: int) -> None:
        """One echo. Raises OSError, of the kernel's own words, when there is no way."""
        body = BODY.pack(self.token, number) + PADDING
        checksum = _sum(HEAD.pack(ECHO, 0, 0, self.token & 0xFFFF, number & 0xFFFF) + body)
        head = HEAD.pack(ECHO, 0, checksum, self.token & 0xFFFF, number & 0xFFFF)
        self.sender.sendto(head + body, (self.way.address, 0))

    def heard(self) -> typing.Iterator[typing.Tuple[int, float]]:
        """The number of every answer that is there, and when it came in (as ``time.monotonic`` tells), by the kernel's stamp."""
        while True:
            try:
                packet, more, _, _ = self.receiver.recvmsg(2048, 64)
            except OSError:
                # Nothing more, or what the network said of an echo: that one's number stays without an answer.
                return
            number = answered(packet, self.token)
            if number is not None:
                yield number, _moment(more)

    def gone(self) -> bool:
        """Whether its namespace is no more, or another of that name: sockets keep a deleted one alive, and would go on in it."""
        return identity(self.way.namespace) != self.identity

    def close(self) -> None:
        """Both ends."""
        self.sender.close()
        self.receiver.close()


def identity(namespace: str) -> typing.Tuple[int, int]:
    """What tells a namespace from another that had its name before; nothing for one that is not there."""
    try:
        stat = os.stat(os.path.join(space.FOLDER, namespace)) if namespace else os.stat("/proc/self/ns/net")
    except FileNotFoundError:
        return (0, 0)
    return (stat.st_dev, stat.st_ino)


def answered(packet: bytes, token: int) -> typing.Optional[int]:
    """The number of an answer to one of our echoes, of a packet that begins with its IP header; None for any other packet."""
    at = (packet[0] & 0xF) * 4 if packet else 0
    if len(packet) < at + HEAD.size + BODY.size or packet[at] != ANSWER:
        return None
    found, number = BODY.unpack_from(packet, at + HEAD.size)
    return int(number) if found == token else None


def _moment(more: typing.Sequence[typing.Any]) -> float:
    """When a packet came in: a busy node lets us read it later than that. The stamp is of the wall's clock."""
    stamps = [struct.unpack("ll", data) for level, kind, data in more if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMP)]  # fmt: skip
    ago = max(0.0, time.time() - stamps[0][0] - stamps[0][1] / 1e6) if stamps else 0.0
    return time.monotonic() - min(ago, AGO)


def _sender(source: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
    try:
        if source:
            made.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
            made.bind((source, 0))
    except OSError:
        made.close()
        raise
    return made


def _listener() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_IP))


def _only(receiver: socket.socket, token: int) -> None:
    """Let nothing through but answers with this token: ICMP, no later fragment, an answer, our token (classic BPF)."""
    steps = (
        (0x30, 0, 0, 9), (0x15, 0, 8, socket.IPPROTO_ICMP),  # byte 9 of the IP header: the protocol; any other: the last line
        (0x28, 0, 0, 6), (0x45, 6, 0, 0x1FFF),  # where the fragment begins
        (0xB1, 0, 0, 0), (0x50, 0, 0, 0), (0x15, 0, 3, ANSWER),  # behind the IP header: the type
        (0x40, 0, 0, HEAD.size), (0x15, 0, 1, token),  # and our token
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    )  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(steps), ctypes.addressof(code)))


def _sum(message: bytes) -> int:
    """The checksum of RFC 1071."""
    total = sum(struct.unpack("!{}H".format(len(message) // 2), message))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def refused(way: Way, error: OSError) -> StepError:
    """What is told when a way cannot be gone."""
    where = "namespace {}".format(way.namespace) if way.namespace else "this node"
    what = "no echo leaves {} for {}: {}; look at its routes and devices"
    return StepError(what.format(where, way.address, error.strerror or error))
