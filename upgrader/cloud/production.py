"""What a real upgrade needs to know of production beyond what a rehearsal does: the machines, the accounts, what watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from upgrader_node.host import pillar as host_pillar
from upgrader_node.release.path import ReleasePath

from upgrader.cloud.machines import Machine, Pillars, machines_of
from upgrader.cloud.roles import CONTROL, KVM, PROXY
from upgrader.cloud.said import mapping
from upgrader.cloud.service import Service

SAID = "upgrader:production"


@dataclass(frozen=True)
class Production:
    """``machines`` are built anew, controllers first. ``accounts`` are those of the services on the database server.

    ``watched`` maps a name to the URL that is asked while the APIs are away. ``lacking`` says, a sentence each, what the model does
    not say yet: a rehearsal needs none of it, so it is refused only when a real upgrade is planned.
    """

    machines: tuple[Machine, ...] = ()
    accounts: tuple[str, ...] = ()
    watched: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def production_of(
    pillars: Pillars,
    master: str,
    nodes: Mapping[str, tuple[str, ...]],
    services: Sequence[Service],
    path: ReleasePath,
) -> Production:
    """Read from the pillar of the foundation nodes and of the controllers, who will be Ocata's."""
    controllers = nodes.get(CONTROL, ())
    machines, lacking = machines_of(pillars, (*controllers, *nodes.get(PROXY, ())), nodes.get(KVM, ()))
    if not controllers:
        lacking = ("pillar upgrader:nodes:control names no controller ([ctl01.cloud.local])", *lacking)
    accounts = dict.fromkeys(
        str(user)
        for node in controllers
        for service in services
        if (user := host_pillar.value(pillars.get(node, {}), f"{_role(path, service)}:database:user"))
    )
    complaints = [one for node in controllers for one in _of_controller(pillars.get(node, {}), node, services, path)]
    watched = mapping(pillars.get(master, {}), master, "upgrader:watched")
    return Production(machines, tuple(accounts), dict(watched), (*lacking, *complaints))


def _role(path: ReleasePath, service: Service) -> str:
    return path.service(service.name).role


def _of_controller(pillar: Mapping[str, Any], node: str, services: Sequence[Service], path: ReleasePath) -> list[str]:
    """A controller's model has to be that of the target release, on production's own databases, and to say so."""
    wrong = []
    if host_pillar.value(pillar, SAID) is not True:
        wrong.append(
            f"{node} lacks pillar key {SAID} (true, for a controller that works on production's own databases)"
        )
    for service in services:
        key, wanted = f"{_role(path, service)}:database:name", service.source_databases[0]
        named = host_pillar.value(pillar, key)
        if named != wanted:
            wrong.append(f"pillar key {key} of {node} is {named!r}, and must be {wanted!r}: production's own database")
        version = host_pillar.value(pillar, f"{_role(path, service)}:version")
        if version != path.target:
            wrong.append(
                f"pillar key {_role(path, service)}:version of {node} is {version!r}, and must be {path.target!r}"
            )
    return wrong
