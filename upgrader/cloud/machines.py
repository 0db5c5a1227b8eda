"""The virtual machines that a real upgrade builds anew: what MCP's keys say of them, and what ours add, checked before anything is planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from upgrader.cloud.said import below, listed, mapping, number

Pillars = Mapping[str, Mapping[str, Any]]
OURS = "upgrader:machines"
SIZES, CLUSTERS = "salt:control:size", "salt:control:cluster"
FOLDER, DISK = "/var/lib/libvirt/images", {"qcow2": "system.qcow2", "raw": "system.img"}
SHA256 = 64


@dataclass(frozen=True)
class Machine:
    """One machine: the minion on it, the foundation node that runs it, and how it is to be built.

    ``cpus``, ``memory`` (MiB) and ``size`` (MB, 0: as the image is) of the guest; ``path`` of its disk; ``image`` is the base
    image with the sha256 that its content must have. ``salts`` are the minions that it gets, ``files`` text files by path.
    """

    node: str
    provider: str
    kind: str
    cpus: int
    memory: int
    path: str
    format: str
    size: int
    bridges: tuple[str, ...]
    image: str
    sha256: str
    salts: tuple[Mapping[str, str], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Its name without the domain."""
        return self.node.split(".", 1)[0]


def machines_of(
    pillars: Pillars, wanted: Sequence[str], providers: Sequence[str]
) -> tuple[tuple[Machine, ...], tuple[str, ...]]:
    """The machines of these minions, in their order, and a sentence for everything that is not said of them.

    Which foundation node runs one is said by ``salt:control:cluster:*:node:*:provider``, in any node's pillar.
    """
    known = dict(_said(pillars, providers))
    machines, lacking = list[Machine](), list[str]()
    for node in wanted:
        if node not in known:
            lacking.append(
                f"no foundation node says which of them runs {node} ({CLUSTERS}:<name>:node:{node.split('.', 1)[0]}:provider "
                f"in the pillar of one of {', '.join(providers) or 'the nodes of role kvm, and there is none'})"
            )
            continue
        one, complaints = _machine(pillars, node, *known[node])
        machines += [one] if one else []
        lacking += complaints
    return tuple(machines), tuple(lacking)


def _said(pillars: Pillars, providers: Sequence[str]) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    """Each machine's minion id, with the node that runs it and what is said of it there."""
    for provider in providers:
        pillar = pillars.get(provider, {})
        clusters = mapping(pillar, provider, CLUSTERS)
        for name in clusters:
            cluster = below(clusters, name, provider, CLUSTERS)
            domain = cluster.get("domain") or provider.partition(".")[2]
            nodes = below(cluster, "node", provider, f"{CLUSTERS}:{name}")
            for key in nodes:
                node = below(nodes, key, provider, f"{CLUSTERS}:{name}:node")
                if node.get("provider", provider) == provider:
                    yield f"{node.get('name') or key}.{domain}", (provider, node)


def _machine(pillars: Pillars, node: str, provider: str, said: Mapping[str, Any]) -> tuple[Machine | None, list[str]]:
    pillar = pillars[provider]
    ours = mapping(pillar, provider, OURS)
    size = below(mapping(pillar, provider, SIZES), said.get("size"), provider, SIZES)
    image = below(mapping(pillar, provider, f"{OURS}:images"), said.get("image"), provider, f"{OURS}:images")
    salts = listed(ours, "salts", provider, OURS)
    form = str(ours.get("format") or "qcow2")
    bridges = tuple(listed(ours, "bridges", provider, OURS) or _bridges(pillar, provider, size))
    lacking = [
        f"{provider} lacks pillar key {key} ({example}), for {node}"
        for key, example, there in (
            (f"{SIZES}:{said.get('size')}:cpu", "8", size.get("cpu")),
            (f"{SIZES}:{said.get('size')}:ram", "16384", size.get("ram")),
            (f"{OURS}:images:{said.get('image')}:path", "/srv/images/xenial.qcow2", image.get("path")),
            (f"{OURS}:images:{said.get('image')}:sha256", "64 digits", len(str(image.get("sha256", ""))) == SHA256),
            (f"{OURS}:salts", "[{folder: /etc/salt, master: cfg01.cloud.local}]", _all_mappings(salts)),
            (f"{OURS}:bridges", "[br-ctl]", bridges),
        )
        if not there
    ]
    if lacking:
        return None, lacking
    own = below(mapping(pillar, provider, f"{OURS}:nodes"), node, provider, f"{OURS}:nodes")
    of_size = f"{SIZES}:{said.get('size')}"
    cpus, memory = (number(size, name, provider, of_size) for name in ("cpu", "ram"))
    disk = number(own, "size", provider, f"{OURS}:nodes:{node}") or number(ours, "size", provider, OURS)
    path = f"{ours.get('folder') or FOLDER}/{node}/{ours.get('disk') or DISK.get(form, 'system.img')}"
    return Machine(
        node, provider, str(ours.get("kind") or "kvm"), cpus, memory, path, form,
        disk, bridges, str(image["path"]), str(image["sha256"]),
        tuple(dict(one) for one in salts), dict(below(own, "files", provider, f"{OURS}:nodes:{node}")),
    ), []  # fmt: skip


def _all_mappings(salts: Sequence[Any]) -> bool:
    return bool(salts) and all(isinstance(one, Mapping) for one in salts)


def _bridges(pillar: Mapping[str, Any], provider: str, size: Mapping[str, Any]) -> list[str]:
    """As MCP has them: the bridges of the size's profile of networks, in the order of their interfaces."""
    profile = below(mapping(pillar, provider, "virt:nic"), size.get("net_profile") or "default", provider, "virt:nic")
    return [
        str(wire["bridge"]) for _, wire in sorted(profile.items()) if isinstance(wire, Mapping) and wire.get("bridge")
    ]
