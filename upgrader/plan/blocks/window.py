"""The window: production's APIs quiet, what it holds written down, and what users notice measured while they are away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.cloud.roles import COMPUTE, MESSAGE_QUEUE
from upgrader.plan.blocks.shapes import READY, gate, verification, work
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import MINUTE, Call, Spread, Step

ONLY_WATCHES = "it only asks"
SERVICES_AGAIN = "upgrader_window.start starts what ran"
A_FILE = "a file of the tool's own on the backup node"
RECONNECTED = "a restart of nova-compute touches no instance"
BATCH = "10%"


def watched(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Ask every API that pillar ``upgrader:watched`` names twice a second, from the Salt master's node."""
    if not cloud.production.watched:
        return ()
    args = {"run": RUN_ID, "targets": dict(cloud.production.watched)}
    call = Call("module", "upgrader_prober.start", (cloud.master,), args)
    # A Salt master that was started again watches on; one that never stopped says that it does.
    again: Any = {"anew": True, "until": "watch-end"}
    return (work("watch-start", "watch the APIs as users see them", call, ONLY_WATCHES, needs, **again),)


def watched_to_the_end(cloud: Cloud, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """How long each of them was away. After a failure the watching goes on, as the window does."""
    if not cloud.production.watched:
        return ()
    call = Call("module", "upgrader_prober.stop", (cloud.master,), {"run": RUN_ID})
    return (verification("watch-end", "how long each API was away", call, ("watch-start", *needs)),)


def stand_gate(cloud: Cloud) -> tuple[Step, ...]:
    """How the computes stand before."""
    nodes = cloud.role(COMPUTE)
    call = Call("module", "upgrader_compute.check", nodes)
    return (gate("computes-stand", "every compute has nova-compute", call, READY, spread=Spread()),) if nodes else ()


def closed(cloud: Cloud, needs: tuple[str, ...], until: str) -> tuple[Step, ...]:
    """APIs first, then what works on; between them the queues run dry.

    A resume does and asks it all again until step ``until`` was begun: a controller that booted meanwhile serves again.
    """
    again: Any = {"anew": True, "until": until}
    steps = [_stopped(cloud, "apis-stop", "stop production's APIs", ("apis",), needs, again)]
    if cloud.role(MESSAGE_QUEUE):
        drain = Call("module", "upgrader_rabbitmq.drained", cloud.role(MESSAGE_QUEUE)[:1], {}, 5 * MINUTE)
        steps.append(
            verification("queues-drained", "what was asked of the services is done", drain, ("apis-stop",), **again)
        )
    title, kinds = "stop schedulers, conductors and engines, identity last", ("workers", "identity")
    return (*steps, _stopped(cloud, "workers-stop", title, kinds, (steps[-1].id,), again))


def quiet(cloud: Cloud, needs: tuple[str, ...], until: str) -> Step:
    """No account of a service is left on the databases, whoever started it meanwhile. Asked anew as ``closed``."""
    call = Call(
        "module",
        "upgrader_window.connections",
        cloud.role(DATABASE),
        {"accounts": list(cloud.production.accounts)},
        5 * MINUTE,
    )
    title = "nobody of production's services is on the databases any more"
    return verification("databases-quiet", title, call, needs, anew=True, until=until)


def _stopped(
    cloud: Cloud, identity: str, title: str, kinds: tuple[str, ...], needs: tuple[str, ...], again: Any
) -> Step:
    args = {"run": RUN_ID, "services": [service.name for service in cloud.services], "kinds": list(kinds)}
    call = Call("module", "upgrader_window.stop", cloud.controllers, args, 10 * MINUTE)
    return work(identity, title, call, SERVICES_AGAIN, needs, **again)


def written_down(cloud: Cloud, needs: tuple[str, ...], until: str) -> tuple[Step, ...]:
    """What production holds at this moment: by id for the way back, in numbers for the verification. Asked anew as ``closed``."""
    again: Any = {"anew": True, "until": until}
    node = cloud.role(BACKUP)[:1]
    databases = sorted(name for service in cloud.services for name in service.source_databases)
    names = {service.name: service.source_databases[0] for service in cloud.services}
    held = {"run": RUN_ID, "databases": names, "again": True}
    objects = Call("module", "upgrader_production.objects", node, held, 30 * MINUTE)
    counts = Call("module", "upgrader_production.counts", node, {"databases": databases}, 30 * MINUTE)
    return (
        work("objects-written-down", "write down by id what production holds", objects, A_FILE, needs, **again),
        work("rows-counted", "count the rows of every table", counts, ONLY_WATCHES, ("objects-written-down",), **again),
    )


def reconnected(cloud: Cloud, needs: tuple[str, ...], **more: Any) -> tuple[Step, ...]:
    """nova-compute started anew on every compute, a tenth of them at a time: it holds connections to what is gone."""
    nodes = cloud.role(COMPUTE)
    if not nodes:
        return ()
    call = Call("module", "upgrader_compute.reconnect", nodes, {"run": RUN_ID}, 5 * MINUTE)
    spread = Spread(batch=BATCH if len(nodes) > 1 else 0, max_failures="10%")
    title = "restart nova-compute on the computes; instances run on"
    return (work("computes-reconnect", title, call, RECONNECTED, needs, spread=spread, **more),)


def new_databases(cloud: Cloud) -> Mapping[str, str]:
    """Databases that the target release adds -> the one of the same service that they take after."""
    return {
        service.source_databases[0] + way.suffix: service.source_databases[0]
        for service in cloud.services
        for way in cloud.path.service(service.name).databases.values()
        if way.source is None
    }
