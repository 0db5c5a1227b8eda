"""What the kernel of the upgrade node lets out: a short list of places, and a count of everything that was refused. Pure.

Configuration that names this node only is the first check (``isolation``); this is the other one, which no configuration,
package script or forgotten agent gets past. Refused packets are answered with a reset, so that whoever tries stops at once.
"""

import hashlib
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import findings, settings

MADE = "made_"
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


class Allowed(typing.NamedTuple):
    """One place that may be reached: its addresses, ports of tcp or udp, and what for."""

    addresses: typing.Tuple[str, ...]
    protocol: str
    ports: typing.Tuple[int, ...]
    why: str


class Tried(typing.NamedTuple):
    """One place that was tried to be reached and was not, and how many packets were refused.

    Port 0: no tcp and no udp, or any port. ``address`` is "" where the packet filter counts by port only.
    """

    address: str
    protocol: str
    port: int
    packets: int

    @property
    def service(self) -> str:
        """What it is to a cloud, or "" when nothing of a cloud is known there."""
        return SERVICES.get(self.port, "") or PROTOCOLS.get(self.protocol, "")

    def __str__(self) -> str:
        place = "[{}]".format(self.address) if ":" in self.address else self.address or "some address"
        where = "{} port {} ({})".format(place, self.port, self.protocol) if self.port else place
        return "{}, {}".format(where, self.service or self.protocol) if self.service or not self.port else where


class Seen(typing.NamedTuple):
    """What the kernel shows of the rules: their mark, what was refused, and packets that were let out, by what for."""

    mark: str
    refused: typing.List[Tried]
    allowed: typing.Dict[str, int]


def mark(allowed: typing.Iterable[Allowed], run: str) -> str:
    """A name for exactly these rules of this run, which they carry: the same are known again, and their counters kept."""
    text = "\n".join([run, *map(repr, allowed)])
    return MADE + hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def comment(text: str) -> str:
    """Words that a packet filter takes as a rule's comment: nothing in them is of its own language."""
    return "".join(char for char in text if char.isalnum() or char in " .,:_-/()")[:100]


def in_order(refused: typing.Iterable[Tried]) -> typing.List[Tried]:
    """Those of a cloud's services first."""
    return sorted(refused, key=lambda one: (not one.service, one))


def judge(seen: typing.Optional[Seen], made: str) -> typing.Dict[str, typing.Any]:
    """What was let out and what was refused since the rules stand.

    :param seen: what the kernel shows, or None when the rules are gone
    :param made: the mark of the rules that this run made, or ""

    Raises StepError when something tried to reach a service of a cloud, or when other rules stand than this run made.
    """
    if seen is None or not made or seen.mark != made:
        raise StepError(
            "the egress rules of this run do not stand any more, so nothing is known of what left this node: something took them "
            "away; find it (a firewall's own start, a formula), then start the stage again"
        )
    refused = in_order(seen.refused)
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
    words = "nothing tried to reach a service of production" + (
        "; {} other places were refused".format(len(refused)) if refused else ""
    )
    return {"comment": words, "allowed": seen.allowed, "findings": told}
