"""The egress rules as iptables has them, for nodes whose kernel or nft is older than ``nft`` needs (Ubuntu 16.04's are).

A chain of its own, first in OUTPUT. It counts what was refused by the port of a cloud's service; addresses are not counted.
"""

import ipaddress
import os
import re
import typing

from upgrader_node.copy import commands
from upgrader_node.copy.egress import ANYWHERE, MADE, SERVICES, Allowed, Seen, Tried, comment, mark
from upgrader_node.errors import StepError

NAME = "iptables"
PACKAGE = "iptables"
CHAIN = "UPGRADER-EGRESS"
# Program, its file, IP version, the name of its control messages, and how it refuses what is no tcp.
FAMILIES = (
    ("iptables", "/etc/upgrader/egress.iptables", 4, "icmp", "icmp-admin-prohibited"),
    ("ip6tables", "/etc/upgrader/egress.ip6tables", 6, "ipv6-icmp", "icmp6-adm-prohibited"),
)
REFUSED = "refused "
VRRP = 112
_RULE = re.compile(r"^\[(?P<packets>\d+):\d+\] -A " + CHAIN + r" (?P<rest>.*)$", re.MULTILINE)
_COMMENT = re.compile(r'--comment (?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))')


def _families() -> typing.List[typing.Tuple[str, str, int, str, str]]:
    """Those that this kernel has: a node may have no IPv6 at all, and then there is nothing to close."""
    return [family for family in FAMILIES if family[2] == 4 or os.path.exists("/proc/net/if_inet6")]


def at_boot() -> typing.List[typing.Tuple[str, ...]]:
    """The commands that make the written rules stand, for the unit."""
    commands_of = []  # type: typing.List[typing.Tuple[str, ...]]
    for program, path, _, _, _ in _families():
        commands_of.append(("/sbin/{}-restore".format(program), "--noflush", path))
        commands_of.append(("/sbin/" + program, "-I", "OUTPUT", "1", "-j", CHAIN))
    return commands_of


def files(allowed: typing.Sequence[Allowed], run: str) -> typing.Dict[str, str]:
    """What is loaded, now and at every boot: path to text."""
    return {family[1]: _rules(allowed, run, family) for family in _families()}


def check(allowed: typing.Sequence[Allowed]) -> str:
    """Why this node does not take the rules, or "". Changes nothing."""
    for family in _families():
        done = commands.run([family[0] + "-restore", "--noflush", "--test"], _rules(allowed, "", family))
        if done is None:
            return "{} is not on this node".format(family[0])
        if done.returncode != 0:
            return "{} says {}".format(family[0], commands.first_line(done))
    return ""


def load() -> None:
    """Make the written rules stand, in place of others of ours. Raises StepError."""
    for program, path, _, _, _ in _families():
        with open(path, encoding="utf-8") as opened:
            _must(commands.run([program + "-restore", "--noflush"], opened.read()), program)
        if not _jumps(program):
            _must(commands.run([program, "-I", "OUTPUT", "1", "-j", CHAIN]), program)


def lift() -> None:
    """Take the rules away, if they are there."""
    for program, _, _, _, _ in _families():
        while _jumps(program):
            _must(commands.run([program, "-D", "OUTPUT", "-j", CHAIN]), program)
        commands.run([program, "-F", CHAIN])
        commands.run([program, "-X", CHAIN])


def seen() -> typing.Optional[Seen]:
    """The rules as they stand in both families, with their counters, or None."""
    found = []
    for program, _, _, _, _ in _families():
        done = commands.run([program + "-save", "-c", "-t", "filter"])
        if done is None or done.returncode != 0 or not _jumps(program):
            return None
        found.append(shown(done.stdout))
    return _both(*found)


def shown(text: str) -> Seen:
    """What ``iptables-save -c`` says, as every packet filter's answer is judged."""
    made, refused, packets = "", [], {}  # type: str, typing.List[Tried], typing.Dict[str, int]
    for rule in _RULE.finditer(text):
        found = _COMMENT.search(rule.group("rest"))
        words, number = (
            (found.group("quoted") or found.group("plain") or "") if found else "",
            int(rule.group("packets")),
        )
        if words.startswith(MADE):
            made = words
        elif words.startswith(REFUSED):
            refused += [_tried(words, number)] if number else []
        elif words:
            packets[words] = packets.get(words, 0) + number
    return Seen(made, refused, packets)


def _both(four: Seen, six: typing.Optional[Seen] = None) -> Seen:
    if six is None:
        return four
    packets = {
        words: four.allowed.get(words, 0) + six.allowed.get(words, 0) for words in {**four.allowed, **six.allowed}
    }
    return Seen(four.mark if four.mark == six.mark else "", four.refused + six.refused, packets)


def _tried(words: str, packets: int) -> Tried:
    protocol, port = words[len(REFUSED) :].split(" ")[:2]
    return Tried("", protocol, int(port), packets)


def _jumps(program: str) -> bool:
    done = commands.run([program, "-C", "OUTPUT", "-j", CHAIN])
    return done is not None and done.returncode == 0


def _must(done: commands.Done, program: str) -> None:
    if done is None or done.returncode != 0:
        raise StepError("the egress rules were not taken: {} says {}".format(program, commands.first_line(done)))


def _rules(allowed: typing.Sequence[Allowed], run: str, family: typing.Tuple[str, str, int, str, str]) -> str:
    """The whole chain. A rule that goes nowhere carries the mark."""
    _, _, version, messages, prohibited = family
    lines = [
        _rule("", mark(allowed, run), ""),
        _rule("-o lo", "this node itself", "ACCEPT"),
        _rule("-m addrtype --dst-type LOCAL", "this node itself", "ACCEPT"),
        _rule("-m conntrack --ctstate ESTABLISHED,RELATED", "answers", "ACCEPT"),
        _rule("-p " + messages, "", "ACCEPT"),
        _rule("-p igmp", "", "ACCEPT"),
    ]
    lines += [_rule("-p udp --dport {}".format(port), why, "ACCEPT") for port, why in ANYWHERE]
    for place in allowed:
        ports = ",".join(str(port) for port in sorted(place.ports))
        for address in sorted(one for one in place.addresses if ipaddress.ip_address(one).version == version):
            match = "-d {} -p {} -m multiport --dports {}".format(address, place.protocol, ports)
            lines.append(_rule(match, comment(place.why), "ACCEPT"))
    reset, other = "REJECT --reject-with tcp-reset", "REJECT --reject-with " + prohibited
    lines += [
        _rule("-p tcp --dport {}".format(port), "{}tcp {} {}".format(REFUSED, port, SERVICES[port]), reset)
        for port in sorted(SERVICES)
    ]
    lines.append(_rule("-p {}".format(VRRP), REFUSED + "vrrp 0", other))
    lines += [_rule("-p tcp", REFUSED + "tcp 0", reset), _rule("", REFUSED + "other 0", other)]
    return "\n".join(["*filter", ":{} - [0:0]".format(CHAIN), *lines, "COMMIT", ""])


def _rule(match: str, words: str, target: str) -> str:
    said = '-m comment --comment "{}"'.format(words) if words else ""
    parts = ["-A " + CHAIN, match, said, "-j " + target if target else ""]
    return " ".join(part for part in parts if part)
