"""Services that a cloud has and an upgrade of it leaves out, because another system keeps their records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from upgrader_node.copy import isolation
from upgrader_node.host import pillar as host_pillar
from upgrader_node.release.path import ReleasePath
from upgrader_node.service import networks
from upgrader_node.service.roles import ROLE_OF

NEUTRON = "neutron"


@dataclass(frozen=True)
class LeftOut:
    """One such service, the name that its database would have, and what the model says of which node."""

    service: str
    database: str
    why: str

    @property
    def sentence(self) -> str:
        """What it means for the operator."""
        return (
            f"{self.service} is left out: {self.why}, so Contrail keeps the networks, and none of them is cloned, migrated or "
            "verified here"
        )


def of_cloud(pillars: Mapping[str, Mapping[str, Any]], nodes: Iterable[str], path: ReleasePath) -> tuple[LeftOut, ...]:
    """Neutron, where one of these nodes says that OpenContrail makes the networks.

    Controllers are asked too: the upgrade node's own class of this tool says ML2, over whatever the site's says.
    """
    if NEUTRON not in path.services:
        return ()
    for node in nodes:
        said = networks.contrail(pillars.get(node, {}))
        if said:
            return (LeftOut(NEUTRON, _database(pillars[node]), f"{said} on {node}"),)
    return ()


def without(path: ReleasePath, left: Iterable[LeftOut]) -> ReleasePath:
    """The path of the services that are upgraded."""
    names = {one.service for one in left}
    return path._replace(services={name: one for name, one in path.services.items() if name not in names})


def _database(pillar: Mapping[str, Any]) -> str:
    name = host_pillar.value(pillar, f"{ROLE_OF[NEUTRON]}:database:name") or NEUTRON
    return str(name).removesuffix(isolation.UPGRADE_MARK)
