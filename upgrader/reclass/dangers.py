"""What would let the upgrade node take part in production, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from upgrader.reclass import alone, remarks
from upgrader.reclass.finding import Finding
from upgrader.reclass.inventory import Rendered
from upgrader.reclass.needs import UPGRADE


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
        for key, place, whose in alone.leading_away(pillar, production, left):
            if "message_queue" not in key:
                remedy = "set it to the upgrade node's own in the node's class, behind the site's classes"
                yield Finding("danger", (node,), f"{key} names {place}, {whose}", remedy, "", key)
