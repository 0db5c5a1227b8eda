"""Which default routes a namespace has to have, by what neutron's l3 and DHCP agents of a release set. Pure.

By the code of neutron 8.4, 10.0.2 and 10.0.7. Ocata's agent gives each router a table of its own in the namespace of floating
addresses (bugs 1698517 and 1702790: it loses that route for good when the device is set down and up); Mitaka's has one default route
in the table main there. The rules of those tables come after the main one (their priority is the table's number): a default route
that Mitaka left in main takes all packets, and hides a table that is empty.
"""

import ipaddress
import typing

from upgrader_node.netns import state
from upgrader_node.netns.space import FIP, QDHCP, QROUTER, SNAT, Space, Spaces
from upgrader_node.netns.texts import MAIN

MITAKA, OCATA = "mitaka", "ocata"
FLOATING_TABLE = "16"
FLOATING, TO_FLOATING, TO_SNAT, EXTERNAL, DHCP = "floating", "to-floating", "to-snat", "external", "dhcp"
WORDS = {
    FLOATING: "the way out of floating addresses",
    TO_FLOATING: "the way from the router to its floating addresses",
    TO_SNAT: "the way to the router's shared address",
    EXTERNAL: "the router's way out",
    DHCP: "the way out of the DHCP namespace",
}


class Need(typing.NamedTuple):
    """A default route that has to be there: in this table, by this device, over ``via`` (empty: nobody here knows)."""

    what: str
    namespace: str
    table: str
    device: str
    via: str
    # The rule that leads to the table: its selector, and its priority (None: only neutron knows). Nothing for main.
    rule: typing.Tuple[str, ...] = ()
    priority: typing.Optional[int] = None
    # From whom, and where it comes in, when the kernel is asked whether the route is taken.
    asked: typing.Tuple[str, ...] = ()
    router: str = ""

    @property
    def key(self) -> typing.Tuple[str, ...]:
        """What it is told by, whichever gateway it has."""
        return (self.namespace, self.table, self.device, *self.rule)


class Known(typing.NamedTuple):
    """What is known beside the namespaces: how they were, the gateways that neutron says exist (None: not said), its files."""

    before: Spaces
    gateways: typing.Optional[typing.Sequence[str]] = None
    folder: str = state.STATE


def of(spaces: Spaces, release: str, known: Known) -> typing.List[Need]:
    """All needs of these namespaces, those of which the gateway is not known too."""
    found = []  # type: typing.List[Need]
    for _, space in sorted(spaces.items()):
        if space.kind == FIP:
            found += _of_floating(space, release, known, spaces)
        elif space.kind in (QROUTER, SNAT):
            found += _external(space, known)
            found += _distributed(space, known, spaces) if space.kind == QROUTER else []
        elif space.kind == QDHCP:
            found += _of_dhcp(space, known)
    return found


def number(address: str) -> int:
    """A table's number: neutron takes the address as a number of 32 bits."""
    return int(ipaddress.IPv4Interface(address).ip)


def addresses(space: Space, prefix: str) -> typing.List[typing.Tuple[str, str]]:
    """Devices whose names begin so, each with its first address; those without one are left out."""
    return [(name, space.links[name].addresses[0]) for name in space.devices(prefix) if space.links[name].addresses]


def router_of(device: str, spaces: Spaces) -> str:
    """The router whose id begins as this device's name ends; that much of it where its namespace is not here."""
    begins = device.partition("-")[2]
    whole = [one.of for one in spaces.values() if one.kind == QROUTER and one.of.startswith(begins)]
    return whole[0] if len(whole) == 1 else begins


def _of_floating(space: Space, release: str, known: Known, spaces: Spaces) -> typing.Iterator[Need]:
    """One route in main at Mitaka, unless an agent of Ocata has left each router its own; at Ocata one for each router that is attached."""
    pairs, outside = addresses(space, "fpr-"), addresses(space, "fg-")
    if not pairs or not outside:
        return
    device = outside[0][0]
    via = _gateway(space, device, known)
    if via is None:
        return
    if release == MITAKA:
        if not all(_own_way(space, pair, address, device) for pair, address in pairs):
            yield Need(FLOATING, space.name, MAIN, device, via)
        return
    for pair, address in pairs:
        table, rule = number(address), ("iif", pair)
        asked = ("from", _other_end(address), "iif", pair)
        yield Need(FLOATING, space.name, str(table), device, via, rule, table, asked, router_of(pair, spaces))


def _own_way(space: Space, pair: str, address: str, device: str) -> bool:
    """Whether packets of this router find a table of its own with a default route in it."""
    table = str(number(address))
    ruled = any((rule.iif, rule.table) == (pair, table) for rule in space.rules)
    return ruled and space.default(table, device) is not None


def _external(space: Space, known: Known) -> typing.Iterator[Need]:
    """Of a central router, and of the shared address of a distributed one. Where several agents serve it, the active one only."""
    if space.devices("ha-") and not _active(space, known):
        return
    for device, _ in addresses(space, "qg-")[:1]:
        via = _gateway(space, device, known)
        if via is not None:
            yield Need(EXTERNAL, space.name, MAIN, device, via, router=space.of)


def _active(space: Space, known: Known) -> bool:
    """keepalived takes the addresses away from a router that stands by; neutron's file says it in a word."""
    said = state.highly_available(space.of, known.folder)
    return said in state.ACTIVE if said else bool(addresses(space, "qg-"))


def _distributed(space: Space, known: Known, spaces: Spaces) -> typing.Iterator[Need]:
    """Each network of the router goes to the shared address, each floating address's instance to its own."""
    was = known.before.get(space.name)
    for device, address in addresses(space, "qr-"):
        table = str(number(address))
        ruled = any(rule.table == table for one in (space, was) if one for rule in one.rules)
        if ruled:
            via = _shared(space, was, device, address, spaces)
            rule = ("from", address)
            asked = ("from", address.split("/")[0])
            yield Need(TO_SNAT, space.name, table, device, via, rule, number(address), asked, space.of)
    yield from _to_floating(space, known)


def _to_floating(space: Space, known: Known) -> typing.Iterator[Need]:
    """Each instance with a floating address has a rule; all of them share one table."""
    priorities = state.priorities(known.folder) if space.devices("rfp-") else {}
    rules = {rule.source: rule.priority for rule in space.rules if rule.table == FLOATING_TABLE}
    fixed = {fixed: priorities.get(floating) for floating, fixed in space.floating.items()}
    for device, address in addresses(space, "rfp-"):
        for one in sorted({*fixed, *rules}):
            comes = _behind(space, one)
            asked = ("from", one, *(("iif", comes) if comes else ()))
            via, priority = _other_end(address), rules.get(one, fixed.get(one))
            yield Need(TO_FLOATING, space.name, FLOATING_TABLE, device, via, ("from", one), priority, asked, space.of)


def _shared(space: Space, was: typing.Optional[Space], device: str, address: str, spaces: Spaces) -> str:
    """The router's shared address in this network: as its table says or said, or as the namespace of it here has it."""
    table = str(number(address))
    for one in (space, was):
        route = one.default(table) if one else None
        if route:
            return route.via
    there, network = spaces.get(SNAT + space.of), ipaddress.IPv4Interface(address).network
    for _, other in addresses(there, "sg-") if there else []:
        if ipaddress.IPv4Interface(other).ip in network:
            return other.split("/")[0]
    return ""


def _behind(space: Space, fixed: str) -> str:
    """The device of the router by which packets of an instance come in."""
    for device, address in addresses(space, "qr-"):
        if ipaddress.IPv4Address(fixed.split("/")[0]) in ipaddress.IPv4Interface(address).network:
            return device
    return ""


def _of_dhcp(space: Space, known: Known) -> typing.Iterator[Need]:
    """The device of the first subnet has the default route; neutron tells the same gateway to instances."""
    told = state.gateways(space.of, known.folder)
    for device in sorted(space.links):
        own = [ipaddress.IPv4Interface(address) for address in space.links[device].addresses] if device != "lo" else []
        near = [via for via in told if any(ipaddress.IPv4Address(via) in one.network for one in own)]
        route = space.default(MAIN, device) or _was(space, device, known)
        if own and (near or route):
            yield Need(DHCP, space.name, MAIN, device, route.via if route else near[0])


def _was(space: Space, device: str, known: Known) -> typing.Any:
    was = known.before.get(space.name)
    return was.default(MAIN, device) if was else None


def _gateway(space: Space, device: str, known: Known) -> typing.Optional[str]:
    """The gateway of an external device: as neutron says, as any table says or said; empty when nobody says; None for "has none"."""
    networks = [ipaddress.IPv4Interface(one).network for one in space.links[device].addresses]
    for via in known.gateways or ():
        if any(ipaddress.IPv4Address(via) in network for network in networks):
            return via
    was = known.before.get(space.name)
    for one in (space, was):
        for route in one.routes if one else ():
            if (route.to, route.device) == ("default", device) and route.via:
                return route.via
    # Neutron named its gateways and none is this network's: it has none. A gateway outside of its network is seen by its routes only.
    return None if known.gateways is not None else ""


def _other_end(address: str) -> str:
    """The other address of a pair: neutron takes networks of two (/31) for it."""
    one = ipaddress.IPv4Interface(address)
    return str(ipaddress.IPv4Address(int(one.ip) ^ 1))
