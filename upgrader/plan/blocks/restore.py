"""The database cluster back to one backup: a copy beside every data directory, two renames, and the servers' starts."""

from __future__ import annotations

from typing import Any

from upgrader.cloud.cloud import DATABASE, Cloud
from upgrader.plan.blocks.backup import store
from upgrader.plan.blocks.shapes import BESIDE, HOUR, KEPT_ASIDE, READY, gate, verification, work
from upgrader.plan.references import RUN_ID, reply_of
from upgrader.plan.step import MINUTE, Call, Options, Step

RECEIPT = reply_of("restore-receipt", "receipt")
THIS = {"receipt": RECEIPT, "run": RUN_ID}


def restore_gates(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    """The backup is proven and whole, and every node fits it."""
    database = cloud.role(DATABASE)
    asked = {"receipt": options.receipt, "cloud": cloud.name}
    fits = {"receipt": RECEIPT, "members": len(database), "another_cluster": options.another_cluster}
    return (
        gate(
            "restore-receipt",
            f"backup {options.receipt} is proven, of this cloud and byte for byte whole",
            Call("module", "upgrader_store.require_proven", store(cloud), asked, 4 * HOUR),
        ),
        gate(
            "restore-node",
            "every database node fits the backup and has room for it",
            Call("module", "upgrader_restore.check", database, fits, 5 * MINUTE),
            needs=(*READY, "restore-receipt"),
        ),
    )


def placed(cloud: Cloud) -> Step:
    """The copy beside the data directory, made while the servers run."""
    database = cloud.role(DATABASE)
    return work(
        "restore-place",
        "fetch, unpack and prepare the backup beside the data directory; servers run on",
        Call("module", "upgrader_restore.place", database, {"receipt": RECEIPT}, 4 * HOUR),
        BESIDE,
        needs=("restore-receipt", "backup-access"),
        progress=Call("module", "upgrader_restore.progress", database[:1], {"receipt": RECEIPT}, MINUTE),
    )


def exchanged(cloud: Cloud) -> tuple[Step, ...]:
    """Stop everything, the founding node last, and rename. The others first: they would only see a member leave."""
    database = cloud.role(DATABASE)
    first, others = database[:1], database[1:]
    needs: tuple[str, ...] = ("restore-place",)
    steps: list[Step] = []
    if others:
        steps.append(_stop("restore-stop-others", "stop the database servers, all but the first", others, needs))
        needs = ("restore-stop-others",)
    steps.append(_stop("restore-stop", f"stop the {'first ' if others else ''}database server", first, needs))
    args: dict[str, Any] = {**THIS, "founder": first[0]}
    call = Call("module", "upgrader_restore.swap", database, args, 30 * MINUTE)
    title = "rename the data directory aside and the backup into its place"
    return (*steps, work("restore-swap", title, call, KEPT_ASIDE, needs=("restore-stop",)))


def serving(cloud: Cloud) -> tuple[Step, ...]:
    """The first node founds the cluster, the others join at the same position."""
    database = cloud.role(DATABASE)
    first, others = database[:1], database[1:]
    found = work(
        "restore-found",
        "start the first database server" + (", which founds the cluster" if others else ""),
        Call("module", "upgrader_restore.found", first, THIS, 30 * MINUTE),
        KEPT_ASIDE,
        needs=("restore-swap",),
    )
    return (found, *(_join(node) for node in others))


def verified(cloud: Cloud) -> Step:
    """Also after a node failed to join: it says what the cluster is that serves meanwhile."""
    database = cloud.role(DATABASE)
    return verification(
        "restore-verify",
        "verify: members, state, and every table's rows and checksum against the backup",
        Call("module", "upgrader_restore.verify", database, {**THIS, "members": len(database)}, 4 * HOUR),
        needs=("restore-found",),
        always=True,
    )


def _stop(identity: str, title: str, nodes: tuple[str, ...], needs: tuple[str, ...]) -> Step:
    return work(
        identity, title, Call("module", "upgrader_restore.stop", nodes, {"run": RUN_ID}, 30 * MINUTE), KEPT_ASIDE, needs
    )


def _join(node: str) -> Step:
    """One node after the other: two at once wait for each other's views. Also after another one failed: each that joins counts."""
    return work(
        f"restore-join-{node.split('.', 1)[0]}",
        "start the next database server, which joins the cluster",
        Call("module", "upgrader_restore.join", (node,), THIS, 2 * HOUR),
        KEPT_ASIDE,
        needs=("restore-found",),
        always=True,
    )
