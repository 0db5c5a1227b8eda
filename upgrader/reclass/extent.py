"""Which nodes of an inventory are one cloud's: an inventory may hold several clouds, each with a Salt master of its own.

A cloud is told from another by ``_param:cluster_name``, which MCP's models set for all of its nodes; where a node says none,
by the domain of its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from upgrader_node.host import pillar as host_pillar

from upgrader.cloud.roles import ROLES
from upgrader.errors import Refused, UsageError
from upgrader.reclass.inventory import Rendered

Pillars = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Extent:
    """The Salt master ("" when no node is one), the nodes of its cloud, and those of other clouds."""

    master: str
    nodes: frozenset[str]
    others: tuple[str, ...] = ()

    def unrelated(self, node: str) -> bool:
        """Whether a node that cannot be rendered is none that an upgrade needs: another cloud's, or of no role's name."""
        letters = re.split(r"[\d.]", node, maxsplit=1)[0]
        return bool(self.master) and (node not in self.nodes or letters not in {role.name for role in ROLES})


def extent(rendered: Mapping[str, Rendered], master: str, named: bool = False) -> Extent:
    """The cloud of ``master``, or of the only Salt master of the model.

    :param master: the minion id of the machine this runs on, as far as its configuration says it
    :param named: the operator named it, so it has to be there

    Raises UsageError for a master that the model does not have, Refused when there are several clouds and no master is named.
    """
    pillars = {node: found.pillar for node, found in rendered.items() if found.pillar is not None}
    candidates = masters(pillars)
    if master not in rendered and named:
        known = f"; its Salt masters are {', '.join(candidates)}" if candidates else ""
        raise UsageError(f"--master {master}: the model has no such node{known}")
    if master not in pillars and not named:
        clouds = {_cloud(node, pillars.get(node)) for node in candidates}
        if len(clouds) > 1:
            raise Refused(f"the model holds several Salt masters ({', '.join(candidates)}): name yours with --master")
        master = candidates[0] if candidates else ""
    if not master:
        return Extent("", frozenset(rendered))
    away = _elsewhere(
        rendered, pillars, master, len({_cloud(node, pillars.get(node)) for node in {*candidates, master}}) > 1
    )
    return Extent(master, frozenset(rendered) - away, tuple(sorted(away)))


def masters(pillars: Pillars) -> tuple[str, ...]:
    """Nodes that pillar makes a Salt master; else those that hold the inventory; else those whose name says so."""

    def having(key: str) -> tuple[str, ...]:
        return tuple(sorted(node for node, pillar in pillars.items() if host_pillar.value(pillar, key)))

    named = tuple(sorted(node for node in pillars if node.startswith("cfg")))
    return having("salt:master") or having("reclass:storage") or named


def _elsewhere(rendered: Iterable[str], pillars: Pillars, master: str, several: bool) -> set[str]:
    """Nodes of another cloud's name. Where there are several clouds, those without a name go by the domains of this one's."""
    mine = _named(pillars.get(master))
    names = {node: _named(pillars.get(node)) for node in rendered}
    home = {_domain(master), *(_domain(node) for node, name in names.items() if mine and name == mine)}
    strange = {node for node, name in names.items() if mine and name and name != mine}
    if not several:
        return strange
    return strange | {node for node, name in names.items() if not (mine and name) and _domain(node) not in home}


def _named(pillar: Mapping[str, Any] | None) -> str:
    return str(host_pillar.value(pillar or {}, "_param:cluster_name") or "")


def _cloud(node: str, pillar: Mapping[str, Any] | None) -> str:
    return _named(pillar) or _domain(node)


def _domain(node: str) -> str:
    return node.partition(".")[2]
