"""What would let the upgrade node take part in production, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from upgrader.reclass import alone, remarks
from upgrader.reclass.finding import Finding
from upgrader.reclass.inventory import Rendered
from upgrader.reclass.needs import UPGRADE

MANY = 3
"""As many keys of one branch are told one by one."""


def dangers(
    rendered: Mapping[str, Rendered], held: Mapping[str, tuple[str, ...]], left: Collection[str] = ()
) -> Iterable[Finding]:
    """On production's queue it would take production's messages. ``left``: roles that the copy will not have."""
    for node, key, host in remarks.shared_queues(rendered, held):
        what = f"{key} names {host}, a queue of production"
        remedy = "name the upgrade node's own RabbitMQ: on production's it would take production's messages"
        yield Finding("danger", (node,), what, remedy, "", key)
    production = alone.of_production(rendered, held)
    for node in held[UPGRADE]:
        pillar = (rendered[node].pillar if node in rendered else None) or {}
        for key, what in alone.taking_part(pillar):
            remedy = "take the class away that brings it: the upgrade node holds a copy and takes part in nothing"
            yield Finding("danger", (node,), f"{key} {what}", remedy, "", key)
        away = [one for one in alone.leading_away(pillar, production, left) if "message_queue" not in one[0]]
        for key, what in _together(away):
            remedy = "set it to the upgrade node's own in the node's class, behind the site's classes"
            yield Finding("danger", (node,), f"{key} names {what}", remedy, "", key)


def _together(away: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """(key, what it names). Many keys of one branch that name one place are told once: a whole catalogue may."""
    branches: dict[tuple[str, str, str], list[str]] = {}
    for key, place, whose in away:
        branches.setdefault((":".join(key.split(":")[:3]), place, whose), []).append(key)
    for (branch, place, whose), keys in branches.items():
        if len(keys) > MANY:
            yield branch, f"{place}, {whose}, in {len(keys)} keys"
        else:
            yield from ((key, f"{place}, {whose}") for key in keys)
