"""A path of the data plane: its class, the namespace that asks, the address that is asked. None of it is trusted."""

import ipaddress
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.netns.echo import Way

MOST = 128
KEYS = {"class", "namespace", "address", "source", "name"}
SAME_HOST, CROSS_HOST, ROUTED = "same-host", "cross-host", "routed"
FLOATING_IN, FLOATING_OUT, SNAT = "floating-in", "floating-out", "snat"
_CLASS = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NAMESPACE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,250})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/>-]{0,299}")
Row = typing.Dict[str, str]


class Path(typing.NamedTuple):
    """One way that is asked again and again, of a class by which losses are told; ``name`` tells it from all others."""

    name: str
    kind: str
    way: Way

    def as_row(self) -> Row:
        """The path as it is given and written down."""
        way = self.way
        row = {"name": self.name, "class": self.kind, "namespace": way.namespace, "address": way.address}
        return dict(row, source=way.source) if way.source else row


def path(kind: str, way: Way, name: str = "") -> Path:
    """A path; its usual name says everything about it."""
    asks = "{}{}".format(way.namespace or "node", " as " + way.source if way.source else "")
    return Path(name or "{} {} > {}".format(kind, asks, way.address), kind, way)


def parsed(wanted: typing.Any) -> typing.List[Path]:
    """The paths as they are given. Raises StepError with every one that is none."""
    if not isinstance(wanted, (list, tuple)) or not 0 < len(wanted) <= MOST:
        what = "paths must be a list of 1 to {}, each like {}"
        raise StepError(what.format(MOST, '{"class": "snat", "namespace": "qrouter-...", "address": "198.51.100.1"}'))
    found, wrong = [], []
    for number, row in enumerate(wanted, 1):
        try:
            found.append(_path(row))
        except ValueError as error:
            wrong.append("number {}: {}".format(number, error))
    names = [one.name for one in found]
    wrong += sorted({"{!r} is there twice".format(name) for name in names if names.count(name) > 1})
    if wrong:
        raise StepError("these paths cannot be asked: {}; mend them, then run this again".format(some(wrong, 5, "; ")))
    return found


def _path(row: typing.Any) -> Path:
    if not isinstance(row, dict) or not {"class", "namespace", "address"} <= set(row) <= KEYS:
        raise ValueError("it must have class, namespace and address, and nothing else but source and name")
    if not all(isinstance(value, str) for value in row.values()):
        raise ValueError("all of it must be text")
    if not _CLASS.fullmatch(row["class"]):
        raise ValueError("class {!r} is no plain name".format(row["class"]))
    if not _NAMESPACE.fullmatch(row["namespace"]):
        raise ValueError("namespace {!r} is no plain name".format(row["namespace"]))
    source = row.get("source", "")
    way = Way(row["namespace"], _address(row["address"]), _address(source) if source else "")
    made = path(row["class"], way, row.get("name", ""))
    if not _NAME.fullmatch(made.name):
        raise ValueError("name {!r} is no plain name".format(made.name))
    return made


def _address(text: str) -> str:
    """The address as written. Raises ValueError for what is no IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("{!r} is no IPv4 address".format(text)) from None
