"""What the operator asks of a stage beyond its name, and what earlier runs left that a stage works on. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kept:
    """A member of the database cluster that run ``run`` keeps: its node, and the position (uuid, seqno) that its files hold.

    ``members`` are the database nodes of that moment.
    """

    run: str
    node: str
    galera: Mapping[str, Any]
    members: tuple[str, ...]

    @property
    def receipt(self) -> dict[str, Any]:
        """What calls are given of it; the node holds the whole receipt."""
        return {"id": self.run, "node": self.node, "galera": dict(self.galera)}


@dataclass(frozen=True)
class Built:
    """How far a real upgrade came, as its journal says: what the way back and the last word work on.

    ``kept`` is the database member that it keeps, ``placed`` whether a backup of its last moment stands beside every data
    directory; neither where it did not come so far. ``receipts`` are those of the machines' disks, by minion; ``keys`` says
    whether the master may know new keys.
    """

    run: str
    kept: Kept | None = None
    placed: bool = False
    receipts: Mapping[str, Any] = field(default_factory=dict)
    keys: bool = False


@dataclass(frozen=True)
class Rollout:
    """What a stage of the data plane does to which nodes.

    ``target`` are the nodes that the operator's words named, ``nodes`` those of this stage in their order, ``digests`` what was
    shown of each one's package difference, ``kept`` the run under which its package sources of before are kept.
    ``batch`` and ``max_failures`` are counts, or percents of the nodes ("10%").
    ``beyond`` is an address behind the external network, ``instances`` are names of namespaces that stand for instances. ``include``
    are packages that stay out of it otherwise, ``allow`` those that may be removed or go back a version. ``run`` is
    the run that is taken back. ``closes``: after these nodes no compute is left at the source release. ``cut`` are nodes that
    an earlier run took out of service and did not put back, each with that run.
    """

    target: tuple[str, ...]
    nodes: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    batch: int | str = "10%"
    max_failures: int | str = 0
    include: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    repair_dvr_routes: bool = False
    evacuate: bool = False
    restart_openvswitch: bool = False
    beyond: str = ""
    instances: tuple[str, ...] = ()
    run: str = ""
    closes: bool = False
    cut: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """What the operator asks for beyond the stage itself. Each one changes the plan's steps, and so its digest.

    ``receipt`` is the id of the backup that a stage works on; ``another_cluster`` accepts one of another Galera cluster.
    ``keep`` is how many backups a pruning leaves (None: what pillar says), ``protected`` are those that it must leave.
    ``member`` is the database node to keep (empty: the last one), ``kept`` the one that an earlier run keeps, ``without``
    are database nodes that are dead and that the way back leaves out. ``hard_stop`` allows to pull the plug of a machine that
    does not go off by itself. ``smoke`` names image, flavor and network of the server that is made to see that one can be.
    ``built`` is the real upgrade that is taken back or closed. ``rollout`` is what a stage of the data plane goes over.
    """

    repair_server_groups: bool = False
    receipt: str = ""
    another_cluster: bool = False
    keep: int | None = None
    protected: tuple[str, ...] = ()
    member: str = ""
    kept: Kept | None = None
    without: tuple[str, ...] = ()
    hard_stop: bool = False
    smoke: Mapping[str, str] = field(default_factory=dict)
    built: Built | None = None
    rollout: Rollout | None = None
