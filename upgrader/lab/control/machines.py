"""Brings virtual machines up: what they are made of, and the wait for those that start with their hypervisor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from upgrader.lab.contents.shipped import write_files
from upgrader.lab.control.domain import Domain
from upgrader.lab.control.files import base_files
from upgrader.lab.image.disks import BaseImage, BaseImages
from upgrader.lab.image.layers import ImageCache
from upgrader.lab.image.recipe import Layer, up_to
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import wait_until
from upgrader.lab.narrator import Narrator
from upgrader.lab.topology import TOPOLOGIES, Topology

BOOT_SECONDS = 120


def domains(nodes: Iterable[Node]) -> list[Domain]:
    return [node for node in nodes if isinstance(node, Domain)]


def provide_base(
    topology: Topology, layers: Sequence[Layer], images: ImageCache, narrator: Narrator
) -> BaseImage | None:
    """What new machines of this topology are made of; None where it has none. Made once, kept in the cache."""
    if not topology.base:
        return None
    files, chain, base = base_files(), up_to(tuple(layers), topology.base), BaseImages(images)
    path = base.path(chain, files)
    held = base.held(path)
    if held:
        return held
    with narrator.doing(f"Making the base image of new machines from the layers up to {topology.base}"):
        return base.provide(path, chain, lambda folder: write_files(folder, files))


def wait_for_machines(nodes: Mapping[str, Node], started: Sequence[str], narrator: Narrator) -> None:
    """Returns when those virtual machines run that start by themselves with a hypervisor that was started now."""
    for domain in domains(nodes.values()):
        if domain.host.name in started and domain.starts_by_itself:
            with narrator.doing(f"Waiting for {domain.name} on {domain.host.name}"):
                wait_until(lambda one=domain: one.running, BOOT_SECONDS, domain.name, domain.last_console_lines)  # type: ignore[misc]


def prune(layers: Sequence[Layer], images: ImageCache) -> list[str]:
    """Removes every base image that no topology would take any more."""
    base, files = BaseImages(images), base_files()
    named = {topology.base for topology in TOPOLOGIES.values() if topology.base}
    return base.prune([base.path(up_to(tuple(layers), name), files) for name in named])
