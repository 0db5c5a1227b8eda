"""Which of this node's hypervisors has a domain."""

import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.vm.by_library import ByLibrary
from upgrader_node.vm.by_virsh import ByVirsh
from upgrader_node.vm.hypervisor import URIS, Hypervisor, LibvirtFailed

NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._@:+-]{0,127}$")
Hypervisors = typing.Sequence[Hypervisor]


RECEIPTS = "/var/lib/upgrader/vm"


class Host(typing.NamedTuple):
    """This node as a hypervisor: its name for sentences, the drivers of libvirt that may have domains, where receipts are."""

    node: str
    hypervisors: Hypervisors
    receipts: str = RECEIPTS


def host(node: str, library: typing.Any = None, uris: typing.Sequence[str] = URIS) -> Host:
    """Over the library where it could be imported, else over virsh."""
    return Host(node, [ByLibrary(uri, library) if library else ByVirsh(uri) for uri in uris])


def driver(here: Host, uri: str) -> Hypervisor:
    """One driver of libvirt on this node. Raises StepError when it is not among those that are looked at."""
    for hypervisor in here.hypervisors:
        if hypervisor.uri == uri:
            return hypervisor
    raise StepError("{} has no libvirt at {}: install that driver, then run this again".format(here.node, uri))


def find(here: Host, name: str) -> Hypervisor:
    """The hypervisor that has the domain. Raises StepError that says which there are, or why libvirt does not answer."""
    if not NAME.match(name):
        raise StepError("{!r} is no name of a domain: letters, digits, dot, dash, underscore".format(name))
    seen, silent = names(here)
    for hypervisor, known in seen:
        if name in known:
            return hypervisor
    there = some(sorted(one for _, known in seen for one in known)) or "none"
    more = "; no answer of {}".format("; ".join(silent)) if silent else ""
    what = "{} has no domain {}: it has {}{}; check the name and the node in the model"
    raise StepError(what.format(here.node, name, there, more))


def names(
    here: Host,
) -> typing.Tuple[typing.List[typing.Tuple[Hypervisor, typing.Tuple[str, ...]]], typing.List[str]]:
    """The domains of each driver that answers, and what those that do not said. Raises StepError when none answers."""
    seen, silent = [], []
    for hypervisor in here.hypervisors:
        try:
            seen.append((hypervisor, hypervisor.names()))
        except LibvirtFailed as error:
            silent.append("{} ({})".format(hypervisor.uri, error))
    if not seen:
        what = "libvirt on {} does not answer: {}; start libvirtd, then run this again"
        raise StepError(what.format(here.node, "; ".join(silent)))
    return seen, silent
