"""The ways that packets of the lab's instances may take, one of each class at least: which namespace of which node pings what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upgrader.lab.dataplane.wires import BEYOND

SAME_HOST, CROSS_HOST, ROUTED, FLOATING_OUT, FLOATING_IN, SNAT = (
    "same host", "cross host", "routed", "floating out", "floating in", "snat",
)  # fmt: skip
LEGACY = "lab-old"


@dataclass(frozen=True)
class Workload:
    """An instance as it runs; ``floating`` is empty where it has no floating IP."""

    name: str
    id: str
    host: str
    network: str
    address: str
    floating: str = ""

    @property
    def namespace(self) -> str:
        return f"i-{self.id}"


@dataclass(frozen=True)
class Path:
    """One path: namespace ``source`` of node ``host`` pings ``address``; ``legacy`` when its router is not distributed."""

    kind: str
    host: str
    source: str
    address: str
    instance: str
    legacy: bool = False


def paths(workloads: Sequence[Workload]) -> list[Path]:
    """Between instances of one network, across the distributed router, and out to an address behind the external subnet."""
    found = [path for one in workloads for other in workloads if one is not other for path in _between(one, other)]
    found += [_from(one, FLOATING_OUT if one.floating else SNAT, BEYOND) for one in workloads]
    inside = [one for one in workloads if not one.floating]
    found += [_from(one, FLOATING_IN, other.floating) for one in inside for other in workloads if other.floating]
    return found


def _between(one: Workload, other: Workload) -> list[Path]:
    if one.network == other.network:
        return [_from(one, SAME_HOST if one.host == other.host else CROSS_HOST, other.address)]
    return [] if LEGACY in (one.network, other.network) else [_from(one, ROUTED, other.address)]


def _from(one: Workload, kind: str, address: str) -> Path:
    return Path(kind, one.host, one.namespace, address, one.name, one.network == LEGACY)
