"""How this node is called: by what the rest of the cloud may name it."""

import socket
import typing


def own(identity: str, grains: typing.Mapping[str, typing.Any]) -> typing.Tuple[str, ...]:
    """Every name and address of this node, from its minion id and Salt's grains."""
    addresses = list(grains.get("ipv4", [])) + list(grains.get("ipv6", []))
    return named(identity, socket.gethostname(), [*addresses, *filter(None, [grains.get("fqdn")])])


def named(identity: str, hostname: str, addresses: typing.Iterable[str]) -> typing.Tuple[str, ...]:
    """Minion id and host name, both as they are and shortened, and what its interfaces have."""
    names = {identity, hostname, identity.split(".")[0], hostname.split(".")[0]}
    return tuple(sorted(names | set(addresses)))
