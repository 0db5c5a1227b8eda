"""Stages backup place and backup restore: the whole database cluster back to one backup, named by its id, by renames.

Everything that takes time is done before a server is stopped; from then on there are only renames and starts. What was
there before stays on every node, under another name.
"""

from __future__ import annotations

from typing import Any

from upgrader.model.cloud import BACKUP, DATABASE, Cloud
from upgrader.plan.binding import RUN_ID, reply_of
from upgrader.plan.gates import common_gates
from upgrader.plan.step import GATE, VERIFY, Call, Options, Stage, Step

RESTORE, PLACE = "restore", "place"
MINUTE, HOUR = 60, 3600
RECEIPT = reply_of("restore-receipt", "receipt")


def place(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """Make a backup ready beside every data directory, so that a later restore is only renames. No server is touched."""
    steps = (*_gates(cloud, formulas_digest, options), *_place(cloud))
    return Stage(PLACE, f"make backup {options.receipt} ready beside every data directory", steps)


def restore(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """Put every database node back to backup ``options.receipt``. The first database node founds the cluster."""
    steps = (
        *_gates(cloud, formulas_digest, options),
        *_place(cloud),
        *_exchange(cloud),
        *_serve(cloud),
        _verify(cloud),
    )
    return Stage(RESTORE, f"put every database node back to backup {options.receipt}", steps)


def _gates(cloud: Cloud, formulas_digest: str, options: Options) -> tuple[Step, ...]:
    backup, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    nodes = tuple(sorted({*backup, *database}))
    asked = {"receipt": options.receipt, "cloud": cloud.name}
    fits = {"receipt": RECEIPT, "members": len(database), "another_cluster": options.another_cluster}
    return (
        *common_gates(nodes, formulas_digest),
        Step(
            "restore-receipt",
            f"backup {options.receipt} is proven, of this cloud and byte for byte whole",
            Call("module", "upgrader_store.require_proven", backup, asked, 4 * HOUR),
            GATE,
        ),
        Step(
            "restore-node",
            "every database node fits the backup and has room for it",
            Call("module", "upgrader_restore.check", database, fits, 5 * MINUTE),
            GATE,
            needs=("restore-receipt",),
        ),
    )


def _place(cloud: Cloud) -> tuple[Step, ...]:
    backup, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    return (
        Step("store-ready", "backup store lets the database nodes read", _apply("xtrabackup.server", backup)),
        Step(
            "backup-access",
            "database nodes may read from the backup store",
            _apply("xtrabackup.client", database),
            needs=("store-ready",),
        ),
        Step(
            "restore-place",
            "fetch, unpack and prepare the backup beside the data directory; servers run on",
            Call("module", "upgrader_restore.place", database, {"receipt": RECEIPT}, 4 * HOUR),
            progress=Call("module", "upgrader_restore.progress", database[:1], {"receipt": RECEIPT}, MINUTE),
            needs=("backup-access",),
        ),
    )


def _exchange(cloud: Cloud) -> tuple[Step, ...]:
    """Stop everything, the founding node last, and rename. The others first: they would only see a member leave."""
    database = cloud.role(DATABASE)
    first, others = database[:1], database[1:]
    run, needs = {"run": RUN_ID}, ("restore-place",)
    stops = [("restore-stop-others", "stop the database servers, all but the first", others)] if others else []
    stops.append(("restore-stop", "stop the first database server" if others else "stop the database server", first))
    steps = []
    for identity, title, nodes in stops:
        steps.append(
            Step(identity, title, Call("module", "upgrader_restore.stop", nodes, run, 30 * MINUTE), needs=needs)
        )
        needs = (identity,)
    args: dict[str, Any] = {"receipt": RECEIPT, "run": RUN_ID, "founder": first[0]}
    call = Call("module", "upgrader_restore.swap", database, args, 30 * MINUTE)
    steps.append(
        Step("restore-swap", "rename the data directory aside and the backup into its place", call, needs=needs)
    )
    return tuple(steps)


def _serve(cloud: Cloud) -> tuple[Step, ...]:
    """The first node founds the cluster, the others join at the same position."""
    database = cloud.role(DATABASE)
    first, others = database[:1], database[1:]
    found = Step(
        "restore-found",
        "start the first database server" + (", which founds the cluster" if others else ""),
        Call("module", "upgrader_restore.found", first, {"receipt": RECEIPT, "run": RUN_ID}, 30 * MINUTE),
        needs=("restore-swap",),
    )
    return (found, *(_join(node) for node in others))


def _join(node: str) -> Step:
    """One node after the other: two at once wait for each other's views. Also after another one failed: each that joins counts."""
    return Step(
        f"restore-join-{node.split('.', 1)[0]}",
        "start the next database server, which joins the cluster",
        Call("module", "upgrader_restore.join", (node,), {"receipt": RECEIPT, "run": RUN_ID}, 2 * HOUR),
        needs=("restore-found",),
        always=True,
    )


def _verify(cloud: Cloud) -> Step:
    """Also after a node failed to join: it says what the cluster is that serves meanwhile."""
    database = cloud.role(DATABASE)
    args = {"receipt": RECEIPT, "run": RUN_ID, "members": len(database)}
    return Step(
        "restore-verify",
        "verify: members, state, and every table's rows and checksum against the backup",
        Call("module", "upgrader_restore.verify", database, args, 4 * HOUR),
        VERIFY,
        needs=("restore-found",),
        always=True,
    )


def _apply(sls: str, nodes: tuple[str, ...]) -> Call:
    return Call("state", "state.apply", nodes, {"mods": sls}, 10 * MINUTE)
