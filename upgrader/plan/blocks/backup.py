"""A backup of all databases: from which node, into which store, and the proof."""

from __future__ import annotations

from collections.abc import Mapping

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.plan.blocks.shapes import ACCESS_STAYS, HOUR, ONLY_REMOVES, READY, STORE_IS_PRUNED, apply, gate, work
from upgrader.plan.references import RUN_ID, least_of
from upgrader.plan.step import MINUTE, Call, Step

OF_THIS_RUN: Mapping[str, object] = {"receipt": RUN_ID}


def store(cloud: Cloud) -> tuple[str, ...]:
    """The node that holds the backup store: the first of its role."""
    return cloud.role(BACKUP)[:1]


def backup_gates(cloud: Cloud, triggers: bool = False) -> tuple[Step, ...]:
    """The cluster is whole, the tool fits it, the store has room. ``cluster-state`` also says who carries how much.

    With ``triggers`` it also says whether accounts may make triggers, which keystone's way to Ocata demands.
    """
    database = cloud.role(DATABASE)
    members = {"members": len(database), **({"triggers": True} if triggers else {})}
    return (
        gate(
            "cluster-state",
            "every database node is a synced member of the cluster",
            Call("module", "upgrader_galera.check", database, members),
            anew=True,
        ),
        gate(
            "backup-tool",
            "backup tool matches the database server",
            Call("module", "upgrader_backup.check", database),
        ),
        gate("store-room", "backup store has room", Call("module", "upgrader_store.check_room", store(cloud))),
    )


def store_access(cloud: Cloud, may: str) -> tuple[Step, ...]:
    """The store takes the database nodes' keys, and they know the store. ``may``: ``write to`` or ``read from`` it."""
    ready = apply("upgrader.backup.server", store(cloud))
    access = apply("upgrader.backup.client", cloud.role(DATABASE))
    return (
        work("store-ready", "backup store knows the database nodes", ready, ACCESS_STAYS, READY),
        work("backup-access", f"database nodes may {may} the backup store", access, ACCESS_STAYS, ("store-ready",)),
    )


def backup_steps(cloud: Cloud, counted: tuple[str, ...], needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """From the least busy node into the store, then the proof; ``counted`` databases get their rows counted in it."""
    taken = Call(
        "module",
        "upgrader_backup.create",
        cloud.role(DATABASE),
        {**OF_THIS_RUN, "cloud": cloud.name},
        4 * HOUR,
        only=least_of("cluster-state", "load"),
    )
    return (
        *store_access(cloud, "write to"),
        work(
            "backup-create",
            "physical backup of all databases from the least busy node, streamed to the backup store",
            taken,
            STORE_IS_PRUNED,
            needs=("cluster-state", "backup-access", *needs),
            progress=Call("module", "upgrader_progress.backup", store(cloud), OF_THIS_RUN, MINUTE),
        ),
        proof(cloud, OF_THIS_RUN, counted, needs=("backup-create",)),
    )


def proof(
    cloud: Cloud, receipt: Mapping[str, object], counted: tuple[str, ...], needs: tuple[str, ...] = READY
) -> Step:
    """Restore the backup into a scratch server and account for every table."""
    args = {**receipt, "databases": sorted(counted)}
    return work(
        "backup-prove",
        "prove the backup: start a scratch server on it, compare every table with what the source held",
        Call("module", "upgrader_store.prove", store(cloud), args, 4 * HOUR),
        STORE_IS_PRUNED,
        needs,
    )


def scratch_removal(cloud: Cloud, receipt: Mapping[str, object], needs: tuple[str, ...]) -> Step:
    """The last step: the archive stays, its prepared copy and exports go."""
    call = Call("module", "upgrader_store.remove_scratch", store(cloud), dict(receipt), 5 * MINUTE)
    return work("scratch-removed", "remove the scratch copy of the backup", call, ONLY_REMOVES, needs)
