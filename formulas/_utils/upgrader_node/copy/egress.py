"""What the kernel of the upgrade node lets out: a short list of places, and a count of everything that was refused. Pure.

Configuration that names this node only is the first check (``isolation``); this is the other one, which no configuration,
package script or forgotten agent gets past. Refused packets are answered with a reset, so that whoever tries stops at once.
"""

import hashlib
import ipaddress
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import findings, settings

TABLE = "upgrader_egress"
CHAIN = "output"
_HEAD = "# run "
MADE = "made_"
REFUSED = ("refused4", "refused6")
# Whom they ask is nobody's production: the time and an address of one's own.
ANYWHERE = ((123, "time"), (67, "an address by DHCP"), (547, "an address by DHCPv6"))
# What a controller's services talk to, by port; nothing of it may be reached from a copy, wherever it is.
SERVICES = {
    3306: "database",
    4369: "message queue",
    4567: "database cluster",
    5000: "identity",
    5671: "message queue",
    5672: "message queue",
    6080: "console proxy",
    6641: "network database",
    6642: "network database",
    6789: "block storage cluster",
    8000: "orchestration",
    8003: "orchestration",
    8004: "orchestration",
    8082: "network controller",
    8774: "compute",
    8775: "metadata",
    8776: "volume",
    8778: "placement",
    9191: "image registry",
    9292: "image",
    9494: "artifact",
    9696: "network",
    11211: "cache",
    15672: "message queue",
    24007: "shared file system",
    25672: "message queue",
    35357: "identity",
}
# A virtual address that two nodes claim takes production off the network.
PROTOCOLS = {"vrrp": "virtual address (VRRP)", "112": "virtual address (VRRP)"}

Table = typing.Mapping[str, typing.Any]


class Allowed(typing.NamedTuple):
    """One place that may be reached: its addresses, ports of tcp or udp, and what for."""

    addresses: typing.Tuple[str, ...]
    protocol: str
    ports: typing.Tuple[int, ...]
    why: str


class Tried(typing.NamedTuple):
    """One place that was tried to be reached and was not, and how many packets were refused. Port 0: no tcp and no udp."""

    address: str
    protocol: str
    port: int
    packets: int

    @property
    def service(self) -> str:
        """What it is to a cloud, or "" when nothing of a cloud is known there."""
        return SERVICES.get(self.port, "") or PROTOCOLS.get(self.protocol, "")

    def __str__(self) -> str:
        place = "[{}]".format(self.address) if ":" in self.address else self.address
        where = "{} port {} ({})".format(place, self.port, self.protocol) if self.port else place
        return "{}, {}".format(where, self.service or self.protocol) if self.service or not self.port else where


def rules(allowed: typing.Iterable[Allowed], run: str) -> str:
    """The whole table for ``nft -f``, in one transaction. Its digest, with the run's id in it, is the name of an empty chain.

    So the same rules of the same run are known again, and their counters kept.
    """
    lines = [
        'oifname "lo" counter accept comment "this node itself"',
        'fib daddr type local counter accept comment "this node itself"',
        'ct state established,related counter accept comment "answers"',
        # They carry no request of a service: neighbours, groups, errors, ping.
        "meta l4proto { icmp, ipv6-icmp, igmp } accept",
    ]
    lines += ['udp dport {} counter accept comment "{}"'.format(port, why) for port, why in ANYWHERE]
    for place in allowed:
        lines += _lines(place)
    lines += [
        "meta nfproto ipv4 meta l4proto { tcp, udp } update @refused4 { ip daddr . meta l4proto . th dport }",
        "meta nfproto ipv6 meta l4proto { tcp, udp } update @refused6 { ip6 daddr . meta l4proto . th dport }",
        "meta nfproto ipv4 meta l4proto != { tcp, udp } update @refused4 { ip daddr . meta l4proto . 0 }",
        "meta nfproto ipv6 meta l4proto != { tcp, udp } update @refused6 { ip6 daddr . meta l4proto . 0 }",
        "meta l4proto tcp counter reject with tcp reset",
        "counter reject with icmpx type admin-prohibited",
    ]
    digest = hashlib.sha256("\n".join([run] + lines).encode("utf-8")).hexdigest()[:16]
    sets = [
        "  set {} {{ type {}_addr . inet_proto . inet_service; size 4096; flags dynamic; counter; }}".format(
            name, family
        )
        for name, family in zip(REFUSED, ("ipv4", "ipv6"))
    ]
    head = ["table inet " + TABLE, "delete table inet " + TABLE, "table inet {} {{".format(TABLE)]
    chain = ["  chain {} {{".format(CHAIN), "    type filter hook output priority 0; policy accept;"]
    body = ["    " + line for line in lines]
    return "\n".join(
        [_HEAD + run, *head, *sets, "  chain {}{} {{ }}".format(MADE, digest), *chain, *body, "  }", "}", ""]
    )


def _lines(place: Allowed) -> typing.List[str]:
    lines = []
    for family, version in (("ip", 4), ("ip6", 6)):
        of_family = sorted(one for one in place.addresses if ipaddress.ip_address(one).version == version)
        if of_family:
            to = "{} daddr {{ {} }}".format(family, ", ".join(of_family))
            ports = ", ".join(str(port) for port in sorted(place.ports))
            comment = "".join(char for char in place.why if char.isalnum() or char in " .,:_-/()")[:100]
            lines.append('{} {} dport {{ {} }} counter accept comment "{}"'.format(to, place.protocol, ports, comment))
    return lines


def made(table: Table) -> str:
    """The name of the empty chain that tells which rules stand, of ``nft -j list table``'s answer; "" when there is none."""
    chains = [item["chain"]["name"] for item in table.get("nftables", []) if "chain" in item]
    return next((name for name in chains if name.startswith(MADE)), "")


def mark(text: str) -> str:
    """The same name, of the rules' own text."""
    return MADE + text.split("chain " + MADE, 1)[1].split(" ", 1)[0]


def tried(table: Table) -> typing.List[Tried]:
    """Every place that was refused, those of a cloud's services first."""
    places = []
    for item in table.get("nftables", []):
        if item.get("set", {}).get("name") in REFUSED:
            places += [_tried(held) for held in item["set"].get("elem", [])]
    return sorted(places, key=lambda one: (not one.service, one))


def _tried(held: typing.Mapping[str, typing.Any]) -> Tried:
    element = held["elem"]
    address, protocol, port = element["val"]["concat"]
    return Tried(str(address), str(protocol), int(port), int(element.get("counter", {}).get("packets", 1)))


def counted(table: Table) -> typing.Dict[str, int]:
    """Packets that were let out, by what for."""
    packets = {}  # type: typing.Dict[str, int]
    for item in table.get("nftables", []):
        rule = item.get("rule", {})
        if rule.get("comment"):
            found = [one["counter"]["packets"] for one in rule["expr"] if "counter" in one]
            packets[rule["comment"]] = packets.get(rule["comment"], 0) + sum(found)
    return packets


def judge(table: typing.Optional[Table], text: str, run: str) -> typing.Dict[str, typing.Any]:
    """What was let out and what was refused since the rules stand.

    :param table: what ``nft`` shows, or None when the table is gone
    :param text: the rules as they were made and written down

    Raises StepError when something tried to reach a service of a cloud, or when other rules stand than this run made.
    """
    if table is None or not text.startswith(_HEAD + run + "\n") or made(table) != mark(text):
        raise StepError(
            "the egress rules of this run do not stand any more, so nothing is known of what left this node: something took "
            "nftables table {} away; find it (a firewall's own start, a formula), then start the stage again".format(
                TABLE
            )
        )
    refused = tried(table)
    wrong = [one for one in refused if one.service]
    if wrong:
        raise StepError(
            "something on this node tried to reach what may be production's: {}; the kernel refused it, nothing left. Find "
            "what names it (a package's default, a formula, pillar) and let it name this node".format(
                ", ".join("{} ({} packets)".format(one, one.packets) for one in wrong[:10])
            )
        )
    told = [
        findings.finding(
            "",
            "{} was refused ({} packets)".format(one, one.packets),
            "if the node needs it, name it in pillar {}".format(settings.EGRESS_ALLOW),
            findings.WARNING,
        )
        for one in refused
    ]
    comment = "nothing tried to reach a service of production" + (
        "; {} other places were refused".format(len(refused)) if refused else ""
    )
    return {"comment": comment, "allowed": counted(table), "findings": told}
