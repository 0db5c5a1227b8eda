"""The upgrade node brought up by the cloud's deployment: our own states, or the site's formulas through the site's own Salt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upgrader.cloud.cloud import UPGRADE, Cloud
from upgrader.cloud.deployment import Row
from upgrader.cloud.roles import PROXY
from upgrader.plan.blocks import schemas
from upgrader.plan.blocks.schemas import ROLLBACK
from upgrader.plan.blocks.shapes import COPY_IS_MADE_ANEW, HOUR, apply, gate, verification, work
from upgrader.plan.step import MINUTE, Call, Step


def gates(cloud: Cloud) -> tuple[Step, ...]:
    """A site's formulas are all there and render, before anything is done."""
    if not cloud.deployment.through_site:
        return ()
    rows = (*cloud.deployment.before_schemas, *cloud.deployment.after_schemas)
    names = tuple(dict.fromkeys(name for row in rows for name in row.of(_names(cloud))))
    call = Call("module", "upgrader_site.check", cloud.role(UPGRADE)[:1], {"mods": names}, 10 * MINUTE)
    return (gate("site-formulas", "the site's own formulas render for the upgrade node", call),)


def code_installed(cloud: Cloud) -> tuple[str, str, Call]:
    """Id, title and call of the question whether the code is the one that the release path was made for."""
    call = Call("module", "upgrader_node.nova_installed", cloud.role(UPGRADE)[:1], schemas.release(cloud))
    return "upgrade-node", f"upgrade node has {cloud.path.target.capitalize()}'s nova", call


def before_schemas(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Code and configuration; nothing is started, and nothing touches a schema."""
    steps = _chain(cloud, cloud.deployment.before_schemas, "upgrader_site.configured", needs)
    if cloud.deployment.through_site:
        steps = (*steps, verification(*code_installed(cloud), needs=(steps[-1].id,)))
    return steps


def after_schemas(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Queue and cache, then the services. None starts before every schema is done and the copy is proven to lead nowhere else.

    Our own states prove it themselves. A site's do not, so there it is a step; and what a site's formula writes into the
    catalogue is rewritten right behind it.
    """
    verified = tuple(f"verify-{service}" for service in _names(cloud))
    first, *others = _rows(cloud, cloud.deployment.after_schemas)
    if not cloud.deployment.through_site:
        stand = _chain(cloud, (first,), "", needs)
        return (*stand, *_chain(cloud, others, "", (*verified, stand[-1].id)))
    stand = _chain(cloud, (first,), "upgrader_site.applied", needs)
    proven = _proven(cloud, (*verified, stand[-1].id))
    steps: list[Step] = [*stand, proven]
    for row in others:
        steps += _chain(cloud, (row,), "upgrader_site.applied", (steps[-1].id,))
        if row.writes_catalogue:
            steps.append(catalogue(cloud, f"{row.id}-catalogue", needs=(steps[-1].id,)))
    return tuple(steps)


def last(cloud: Cloud) -> str:
    """The id of the step after which the whole controller runs."""
    return after_schemas(cloud, ())[-1].id


def catalogue(cloud: Cloud, identity: str, needs: tuple[str, ...]) -> Step:
    """The copy's catalogue, which leads to the upgrade node alone."""
    return work(
        identity,
        "every endpoint of the copy leads to the upgrade node; Ocata's are added, identity is v3 only",
        Call("module", "upgrader_copy.catalogue", cloud.role(UPGRADE)[:1]),
        COPY_IS_MADE_ANEW,
        needs=needs,
    )


def _proven(cloud: Cloud, needs: tuple[str, ...]) -> Step:
    return work(
        "copy-proven",
        "what the site's formulas configured leads to this node and the clones only",
        Call("module", "upgrader_copy.all_isolated", cloud.role(UPGRADE)[:1], {"services": _names(cloud)}),
        COPY_IS_MADE_ANEW,
        needs,
    )


def control_before(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Production's new controllers: code and configuration. Nothing is started, and nothing touches a schema."""
    at = At(cloud.controllers, ROLLBACK)
    return _chain(cloud, cloud.deployment.control_before, "upgrader_site.configured", needs, at)


def control_after(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """The services of the controllers, and then the proxies, where there are any."""
    at, behind = At(cloud.controllers, ROLLBACK), At(cloud.role(PROXY), ROLLBACK)
    steps = _chain(cloud, cloud.deployment.control_after, "upgrader_site.applied", needs, at)
    proxies = cloud.deployment.proxy if behind.nodes else ()
    return (*steps, *_chain(cloud, proxies, "upgrader_site.applied", (steps[-1].id,), behind))


@dataclass(frozen=True)
class At:
    """The nodes that rows are applied on, and what leads back from there."""

    nodes: tuple[str, ...]
    no_undo: str


def _names(cloud: Cloud) -> tuple[str, ...]:
    return tuple(service.name for service in cloud.services)


def _rows(cloud: Cloud, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.of(_names(cloud))]


def _chain(
    cloud: Cloud, rows: Sequence[Row], function: str, needs: tuple[str, ...], at: At | None = None
) -> tuple[Step, ...]:
    """One step for each row, each after the one before it. The site's own rows are applied by ``function``."""
    place, steps = at or At(cloud.role(UPGRADE)[:1], COPY_IS_MADE_ANEW), list[Step]()
    for row in _rows(cloud, rows):
        call = row_call(cloud, row, function, place.nodes)
        steps.append(work(row.id, row.title, call, place.no_undo, (steps[-1].id,) if steps else needs))
    return tuple(steps)


def row_call(cloud: Cloud, row: Row, function: str, nodes: tuple[str, ...]) -> Call:
    """A row's states on these nodes: our own, or the site's by ``function``."""
    names = row.of(_names(cloud))
    if not cloud.deployment.through_site:
        return apply(",".join(names), nodes)
    return Call("module", function, nodes, {"mods": names, "timeout": HOUR}, 2 * HOUR + 5 * MINUTE)
