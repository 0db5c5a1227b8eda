"""Which TCP ports this node listens on, as the kernel says it (proc(5), /proc/net/tcp): whoever listens, whatever it is called."""

import ipaddress
import struct
import typing

from upgrader_node.errors import StepError

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTEN = "0A"


class Listener(typing.NamedTuple):
    """An address, "0.0.0.0" and "::" for all of them, and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return "{}:{}".format("[{}]".format(self.address) if ":" in self.address else self.address, self.port)


def read(tables: typing.Sequence[str] = TABLES) -> typing.List[Listener]:
    """Every listener of this node. A kernel without IPv6 has one table only."""
    found = []  # type: typing.List[Listener]
    for number, table in enumerate(tables):
        try:
            with open(table, encoding="ascii") as file:
                found += parse(file.read())
        except FileNotFoundError:
            if number == 0:
                raise StepError("{} is not there: nobody can say who listens".format(table)) from None
    return sorted(set(found))


def parse(text: str) -> typing.List[Listener]:
    """The listeners of one table."""
    rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
    return [_listener(row[1]) for row in rows if len(row) > 3 and row[3] == LISTEN]


def _listener(word: str) -> Listener:
    """``0100007F:1F90``: the address in words of the machine's byte order, the port as people write it."""
    address, _, port = word.partition(":")
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    packed = struct.pack("={}I".format(len(words)), *words)
    return Listener(str(ipaddress.ip_address(packed)), int(port, 16))


def among(
    listeners: typing.Iterable[Listener], ports: typing.Container[int], address: str = ""
) -> typing.List[Listener]:
    """Those of these ports; with an ``address`` those that take its connections: its own, and the ones of all addresses."""
    ours = (address, "0.0.0.0", "::", "::ffff:" + address)
    return [one for one in listeners if one.port in ports and (not address or one.address in ours)]
