"""What ``ip`` and ``iptables-save`` print, read. Plain text: the ``ip`` of Ubuntu 14.04 and 16.04 knows no JSON. Pure."""

import re
import typing

_LINK = re.compile(r"\d+: (?P<name>[^:@\s]+)(?:@\S+)?: <(?P<flags>[^>]*)>")
_INET = re.compile(r"\s+inet (?P<address>[\d.]+)(?: peer [\d.]+)?/(?P<length>\d+)")
_RULE = re.compile(r"(?P<priority>\d+):\s+(?P<words>.*)")
_TO = re.compile(r"-A \S+ (?:.* )?-d (?P<floating>[\d.]+)(?:/32)? .*-j DNAT --to-destination (?P<fixed>[\d.]+)\s*$")
# What `ip route` puts before a destination that leads nowhere.
NOWHERE = ("local", "broadcast", "multicast", "unreachable", "blackhole", "prohibit", "throw", "nat", "anycast")
MAIN = "main"


class Link(typing.NamedTuple):
    """A device: whether somebody set it up, and its IPv4 addresses, each with the length of its network: ``10.0.0.1/24``."""

    up: bool
    addresses: typing.List[str]


class Rule(typing.NamedTuple):
    """A rule of the routing policy; ``source`` and ``iif`` are empty where it asks for none."""

    priority: int
    source: str
    iif: str
    table: str


class Route(typing.NamedTuple):
    """A route; ``to`` is ``default`` or a network, ``via`` is empty for one without a gateway."""

    table: str
    to: str
    via: str
    device: str


Links = typing.Dict[str, Link]


def links(text: str) -> Links:
    """``ip addr show``: every device by its name."""
    found, current = {}, None  # type: Links, typing.Optional[Link]
    for line in text.splitlines():
        head, inet = _LINK.match(line), _INET.match(line)
        if head:
            current = found[head.group("name")] = Link("UP" in head.group("flags").split(","), [])
        elif inet and current:
            current.addresses.append("{}/{}".format(inet.group("address"), inet.group("length")))
    return found


def rules(text: str) -> typing.List[Rule]:
    """``ip rule list``: what has a table. A device that is gone is told as ``iif NAME [detached]``."""
    found = []
    for line in text.splitlines():
        match = _RULE.match(line)
        if match:
            words = match.group("words").split()
            source = _after(words, "from")
            found.append(
                Rule(
                    int(match.group("priority")),
                    "" if source == "all" else source,
                    _after(words, "iif"),
                    _after(words, "lookup"),
                )
            )
    return [one for one in found if one.table]


def routes(text: str) -> typing.List[Route]:
    """``ip -o route show table all``: what leads somewhere. A table is named unless it is the main one."""
    found = []
    for line in text.splitlines():
        words = line.replace("\\", " ").split()
        if words and words[0] not in NOWHERE:
            table = _after(words, "table") or MAIN
            found.append(Route(table, words[0], _after(words, "via"), _after(words, "dev")))
    return found


def translations(text: str) -> typing.Dict[str, str]:
    """``iptables-save -t nat``: floating addresses with the fixed ones that they lead to."""
    matches = [_TO.match(line) for line in text.splitlines()]
    return {match.group("floating"): match.group("fixed") for match in matches if match}


def _after(words: typing.Sequence[str], word: str) -> str:
    """What stands behind a word, or nothing."""
    position = words.index(word) + 1 if word in words else len(words)
    return words[position] if position < len(words) else ""
