"""The egress rules as nftables has them: one table, made in one transaction, with a set of every place that was refused.

Needs nftables 0.9.3 and Linux 4.18; older ones take iptables (``xtables``).
"""

import ipaddress
import json
import typing

from upgrader_node.copy import commands
from upgrader_node.copy.egress import ANYWHERE, MADE, Allowed, Seen, Tried, comment, mark
from upgrader_node.errors import StepError

NAME = "nft"
PACKAGE = "nftables"
TABLE = "upgrader_egress"
CHAIN = "output"
REFUSED = ("refused4", "refused6")
RULES = "/etc/upgrader/egress.nft"
Table = typing.Mapping[str, typing.Any]


def at_boot() -> typing.List[typing.Tuple[str, ...]]:
    """The commands that make the written rules stand, for the unit."""
    return [("/usr/sbin/nft", "-f", RULES)]


def files(allowed: typing.Sequence[Allowed], run: str) -> typing.Dict[str, str]:
    """What is loaded, now and at every boot: path to text."""
    return {RULES: rules(allowed, run)}


def check(allowed: typing.Sequence[Allowed]) -> str:
    """Why this node does not take the rules, or "". Changes nothing."""
    done = commands.run(["nft", "--check", "-f", "-"], rules(allowed, ""))
    if done is None:
        return "nft is not on this node"
    return "" if done.returncode == 0 else "nft says {}".format(commands.first_line(done))


def load() -> None:
    """Make the written rules stand, in place of others of ours. Raises StepError."""
    done = commands.run(["nft", "-f", RULES])
    if done is None or done.returncode != 0:
        raise StepError("the egress rules were not taken: nft says {}".format(commands.first_line(done)))


def lift() -> None:
    """Take the rules away, if they are there."""
    commands.run(["nft", "delete", "table", "inet", TABLE])


def seen() -> typing.Optional[Seen]:
    """The rules as they stand, with their counters, or None."""
    done = commands.run(["nft", "-j", "list", "table", "inet", TABLE])
    return shown(json.loads(done.stdout)) if done is not None and done.returncode == 0 else None


def shown(table: Table) -> Seen:
    """What ``nft -j list table`` says, as every packet filter's answer is judged."""
    items = table.get("nftables", [])
    marks = [item["chain"]["name"] for item in items if "chain" in item]
    refused = []  # type: typing.List[Tried]
    packets = {}  # type: typing.Dict[str, int]
    for item in items:
        if item.get("set", {}).get("name") in REFUSED:
            refused += [_tried(held["elem"]) for held in item["set"].get("elem", [])]
        rule = item.get("rule", {})
        if rule.get("comment"):
            found = sum(one["counter"]["packets"] for one in rule["expr"] if "counter" in one)
            packets[rule["comment"]] = packets.get(rule["comment"], 0) + found
    return Seen(next((name for name in marks if name.startswith(MADE)), ""), refused, packets)


def _tried(element: Table) -> Tried:
    address, protocol, port = element["val"]["concat"]
    return Tried(str(address), str(protocol), int(port), int(element.get("counter", {}).get("packets", 1)))


def rules(allowed: typing.Sequence[Allowed], run: str) -> str:
    """The whole table. An empty chain carries the mark."""
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
    for name, family in zip(REFUSED, ("ip", "ip6")):
        of_family = "meta nfproto {}".format({"ip": "ipv4", "ip6": "ipv6"}[family])
        to = "update @{} {{ {} daddr . meta l4proto . {} counter }}"
        lines.append("{} meta l4proto {{ tcp, udp }} {}".format(of_family, to.format(name, family, "th dport")))
        lines.append("{} meta l4proto != {{ tcp, udp }} {}".format(of_family, to.format(name, family, "0")))
    lines += ["meta l4proto tcp counter reject with tcp reset", "counter reject with icmpx type admin-prohibited"]
    sets = [
        "  set {} {{ type {}_addr . inet_proto . inet_service; size 4096; flags dynamic; }}".format(name, family)
        for name, family in zip(REFUSED, ("ipv4", "ipv6"))
    ]
    head = ["table inet " + TABLE, "delete table inet " + TABLE, "table inet {} {{".format(TABLE)]
    chain = ["  chain {} {{".format(CHAIN), "    type filter hook output priority 0; policy accept;"]
    body = ["    " + line for line in lines]
    return "\n".join([*head, *sets, "  chain {} {{ }}".format(mark(allowed, run)), *chain, *body, "  }", "}", ""])


def _lines(place: Allowed) -> typing.List[str]:
    lines = []
    for family, version in (("ip", 4), ("ip6", 6)):
        of_family = sorted(one for one in place.addresses if ipaddress.ip_address(one).version == version)
        if of_family:
            to = "{} daddr {{ {} }}".format(family, ", ".join(of_family))
            ports = ", ".join(str(port) for port in sorted(place.ports))
            words = '{} {} dport {{ {} }} counter accept comment "{}"'
            lines.append(words.format(to, place.protocol, ports, comment(place.why)))
    return lines
