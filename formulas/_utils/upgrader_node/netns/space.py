"""A network namespace of this node as it is now: devices, rules, routes, and what floating addresses lead to."""

import os
import tempfile
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pipeline
from upgrader_node.netns import texts

FOLDER = "/run/netns"
SECONDS = 20.0
FIP, QROUTER, SNAT, QDHCP = "fip-", "qrouter-", "snat-", "qdhcp-"
KINDS = (FIP, QROUTER, SNAT, QDHCP)
Row = typing.Dict[str, typing.Any]


class Space(typing.NamedTuple):
    """One namespace. ``floating``: addresses that its own rules translate, with the fixed address of each."""

    name: str
    links: texts.Links
    rules: typing.List[texts.Rule]
    routes: typing.List[texts.Route]
    floating: typing.Dict[str, str]

    @property
    def kind(self) -> str:
        """What neutron calls such a namespace: the prefix of its name; empty for one that is not neutron's."""
        return ([kind for kind in KINDS if self.name.startswith(kind)] or [""])[0]

    @property
    def of(self) -> str:
        """What it belongs to: the id of a router, of a network, or its own name."""
        return self.name[len(self.kind) :]

    def devices(self, prefix: str) -> typing.List[str]:
        """Its devices whose names begin so, in the order of their names."""
        return sorted(name for name in self.links if name.startswith(prefix))

    def default(self, table: str, device: str = "") -> typing.Optional[texts.Route]:
        """The default route of a table, of one device where that is given."""
        for one in self.routes:
            if (one.table, one.to) == (table, "default") and device in ("", one.device):
                return one
        return None

    def as_row(self) -> Row:
        """The namespace as JSON holds it."""
        return {
            "links": {name: [one.up, one.addresses] for name, one in self.links.items()},
            "rules": [list(one) for one in self.rules],
            "routes": [list(one) for one in self.routes],
            "floating": self.floating,
        }


Spaces = typing.Dict[str, Space]


def from_row(name: str, row: Row) -> Space:
    """The namespace that a row of JSON holds."""
    links = {device: texts.Link(up, addresses) for device, (up, addresses) in row["links"].items()}
    rules, routes = [texts.Rule(*one) for one in row["rules"]], [texts.Route(*one) for one in row["routes"]]
    return Space(name, links, rules, routes, row["floating"])


def names() -> typing.List[str]:
    """The namespaces of this node that have a name."""
    try:
        return sorted(os.listdir(FOLDER))
    except FileNotFoundError:
        return []


def look(wanted: typing.Sequence[str]) -> typing.Tuple[Spaces, typing.Dict[str, str]]:
    """These namespaces, and why one of them cannot be looked into. What goes away meanwhile is neither."""
    found, unreadable = {}, {}  # type: Spaces, typing.Dict[str, str]
    for name in wanted:
        try:
            found[name] = read(name)
        except StepError as error:
            if name in names():
                unreadable[name] = str(error)
    return found, unreadable


def read(name: str) -> Space:
    """One namespace. Raises StepError when a program does not say what it has to."""
    links = texts.links(within(name, ["ip", "addr", "show"]))
    rules = texts.rules(within(name, ["ip", "-4", "rule", "list"]))
    if "lo" not in links or texts.MAIN not in [rule.table for rule in rules]:
        what = "'ip' tells neither the device lo nor the rule of the table main of namespace {}: look at 'ip netns exec {} ip rule'"
        raise StepError(what.format(name, name))
    routes = texts.routes(within(name, ["ip", "-4", "-o", "route", "show", "table", "all"]))
    translates = name.startswith(QROUTER) and any(one.startswith(("rfp-", "qg-")) for one in links)
    text = within(name, ["iptables-save", "-t", "nat"]) if translates else ""
    return Space(name, links, rules, routes, texts.translations(text))


def within(name: str, command: typing.Sequence[str]) -> str:
    """What a program prints inside a namespace. Raises StepError, with its words, unless it ends with 0."""
    with tempfile.TemporaryFile() as said:
        ended = pipeline.run([["ip", "netns", "exec", name, *command]], stdout=said, timeout=SECONDS)[0]
        if ended.code:
            what = "'{}' in namespace {}: {}; look whether that namespace is whole, then run this again"
            raise StepError(what.format(" ".join(command), name, pipeline.describe(ended)))
        said.seek(0)
        return said.read().decode("utf-8", "replace")
