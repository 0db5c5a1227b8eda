"""The paths that a node has by its namespaces: routers, DHCP and what stands for instances, and whom each of them can ask.

A distributed router answers for its own host only: an instance elsewhere sends its answer to the router of its own host. So what is
found here is only asked for good when it answers once (``upgrader_path.start``).
"""

import fnmatch
import ipaddress
import typing

from upgrader_node.netns import space, state
from upgrader_node.netns.echo import Way
from upgrader_node.netns.space import FIP, QDHCP, QROUTER, SNAT, Space, Spaces
from upgrader_node.paths import path
from upgrader_node.paths.path import Path

# Of one class in one namespace.
EACH = 8
ROUTER, DHCP = "router", "dhcp"
INSTANCES = ("i-*",)
Found = typing.Iterator[Path]


def on_this_node(beyond: str, instances: typing.Sequence[str], folder: str = state.STATE) -> typing.List[Path]:
    """All that this node's namespaces can ask, as far as they can be looked into; at most as many as can be asked at once."""
    spaces, _ = space.look([name for name in space.names() if name.startswith(space.KINDS) or _is(name, instances)])
    known = {name: state.ports(one.of, folder) for name, one in spaces.items() if one.kind == QDHCP}
    known.update({name: neighbours(name) for name, one in spaces.items() if one.kind == QROUTER})
    return of(spaces, known, beyond, instances)


def neighbours(name: str) -> typing.List[str]:
    """The addresses that a distributed router was told of: those of its networks' ports, for good."""
    lines = space.within(name, ["ip", "-4", "neigh", "show", "nud", "permanent"]).splitlines()
    return [line.split()[0] for line in lines if " lladdr " in line]


def of(
    spaces: Spaces, known: typing.Mapping[str, typing.Sequence[str]], beyond: str, instances: typing.Sequence[str]
) -> typing.List[Path]:
    """The paths of these namespaces. Pure. ``known``: addresses that stand behind a router or in a network."""
    floating = {fixed for one in spaces.values() for fixed in one.floating.values()}
    elsewhere = {address for addresses in known.values() for address in addresses}
    elsewhere -= {address for one in spaces.values() for address in _own(one)}
    guests = [one for name, one in sorted(spaces.items()) if _is(name, instances) and not one.kind]
    found = []  # type: typing.List[Path]
    for one in guests:
        found += _few(_of_guest(one, guests, floating, elsewhere, beyond))
    for _, one in sorted(spaces.items()):
        if one.kind == FIP:
            found += _few(_inwards(one))
        elif one.kind == QROUTER:
            found += _few(_of_router(one, known.get(one.name, ()), beyond))
        elif one.kind == SNAT and beyond and one.devices("qg-"):
            found.append(path.path(path.SNAT, Way(one.name, beyond)))
        elif one.kind == QDHCP:
            own = _own(one)
            found += _few(
                path.path(DHCP, Way(one.name, there)) for there in known.get(one.name, ()) if there not in own
            )
    return found[: path.MOST]


def _is(name: str, patterns: typing.Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _few(found: typing.Iterable[Path]) -> typing.List[Path]:
    """The first few of each class."""
    kept = []  # type: typing.List[Path]
    for one in found:
        if [other.kind for other in kept].count(one.kind) < EACH and one not in kept:
            kept.append(one)
    return kept


def _networks(one: Space) -> typing.List[ipaddress.IPv4Interface]:
    """The addresses of a namespace, but for the node's own."""
    return [
        ipaddress.IPv4Interface(address)
        for name, link in sorted(one.links.items())
        if name != "lo"
        for address in link.addresses
    ]


def _own(one: Space) -> typing.Set[str]:
    return {str(address.ip) for address in _networks(one)}


def _of_guest(
    one: Space,
    guests: typing.Sequence[Space],
    floating: typing.Set[str],
    elsewhere: typing.Set[str],
    beyond: str,
) -> Found:
    """An instance asks its gateway, the others of this node, those elsewhere, and the world."""
    own, gateway = _networks(one), one.default("main")
    if not own:
        return
    if gateway and gateway.via:
        yield path.path(ROUTER, Way(one.name, gateway.via))
    here = {address for other in guests for address in _own(other)}
    for address in sorted(here - _own(one)):
        yield path.path(path.SAME_HOST if _near(address, own) else path.ROUTED, Way(one.name, address))
    for address in sorted(elsewhere):
        yield path.path(path.CROSS_HOST if _near(address, own) else path.ROUTED, Way(one.name, address))
    if beyond:
        yield path.path(path.FLOATING_OUT if _own(one) & floating else path.SNAT, Way(one.name, beyond))


def _near(address: str, own: typing.Sequence[ipaddress.IPv4Interface]) -> bool:
    return any(ipaddress.IPv4Address(address) in one.network for one in own)


def _inwards(one: Space) -> Found:
    """The namespace of floating addresses asks them as the world would, but for the way up to this node."""
    for route in one.routes:
        if route.device.startswith("fpr-") and route.via and route.to != "default":
            yield path.path(path.FLOATING_IN, Way(one.name, route.to.split("/")[0]))


def _of_router(one: Space, known: typing.Sequence[str], beyond: str) -> Found:
    """A router asks instances; in their names it asks the world by their floating addresses; a central one by its own."""
    own = [address for address in _networks(one) if str(address.ip) not in one.floating]
    for fixed in sorted({*one.floating.values(), *known} - _own(one)):
        if _near(fixed, own):
            yield path.path(ROUTER, Way(one.name, fixed))
    if not beyond:
        return
    if one.devices("rfp-"):
        for fixed in sorted(set(one.floating.values())):
            yield path.path(path.FLOATING_OUT, Way(one.name, beyond, fixed))
    elif one.devices("qg-"):
        yield path.path(path.SNAT, Way(one.name, beyond))
