"""What the services of a controller stand on: its units, and the places at which they take connections. Reads only."""

import socket
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import required

UNITS = {
    "memcached": "memcached",
    "rabbitmq": "rabbitmq-server",
    "haproxy": "haproxy",
    "keepalived": "keepalived",
    "apache": "apache2",
    "horizon": "apache2",
}
PORTS = {"memcached": 11211, "rabbitmq": 5672, "horizon": 80}
Pillar = typing.Mapping[str, typing.Any]
Address = typing.Tuple[str, int]


def unit(name: str) -> str:
    """The unit of what ``name`` is. Raises StepError for what is not known."""
    if name not in UNITS:
        raise StepError("no {!r} to check; there are {}".format(name, ", ".join(sorted(UNITS))))
    return UNITS[name]


def addresses(name: str, pillar: Pillar) -> typing.List[Address]:
    """Where it listens, by its pillar; a wildcard is asked at 127.0.0.1."""
    if name in PORTS:
        bind = host_pillar.value(pillar, _described(pillar, name) + ":bind", {}) or {}
        return [(_reachable(bind.get("address", "")), int(bind.get("port", PORTS[name])))]
    if name == "haproxy":
        listen = host_pillar.value(pillar, "haproxy:proxy:listen", {}) or {}
        binds = [bind for one in listen.values() if one.get("enabled", True) for bind in one.get("binds", [])]
        return sorted({(_reachable(bind["address"]), int(bind["port"])) for bind in binds})
    return []


def _described(pillar: Pillar, name: str) -> str:
    return name + ":server" if name == "horizon" else required.foundation(pillar, name)


def _reachable(address: typing.Any) -> str:
    return "127.0.0.1" if address in ("", "0.0.0.0", "*", "::") else str(address)


def check(name: str, listening: typing.Sequence[Address], timeout: float) -> typing.Dict[str, str]:
    """Every address takes a connection, or StepError."""
    for address, port in listening:
        try:
            socket.create_connection((address, port), timeout).close()
        except OSError as error:
            what = "{} does not take a connection at {}:{} ({}): see the journal of its unit"
            raise StepError(what.format(name, address, port, error)) from None
    places = ", ".join("{}:{}".format(*one) for one in listening) or "no port"
    return {"comment": "{} serves at {}".format(name, places)}
