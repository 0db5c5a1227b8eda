"""Backups as steps: from which node, into which store, and the proof. Stages of their own and the beginning of others."""

from __future__ import annotations

from collections.abc import Mapping

from upgrader.errors import UsageError
from upgrader.model.cloud import BACKUP, DATABASE, Cloud
from upgrader.plan.binding import RUN_ID, least_of
from upgrader.plan.gates import common_gates
from upgrader.plan.step import GATE, MINUTE, Call, Options, Stage, Step

CREATE, PROVE = "create", "prove"
HOURS = 60 * MINUTE


def create(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """One backup of the whole cluster, proven. Its id is the run's."""
    nodes = tuple(sorted({*cloud.role(BACKUP)[:1], *cloud.role(DATABASE)}))
    steps = (*common_gates(nodes, formulas_digest), *backup_gates(cloud), *backup_steps(cloud, ()), removal(cloud))
    return Stage(CREATE, "back the databases up and prove that the backup can be restored", steps)


def prove(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """The proof of a backup that was taken without one, or long ago."""
    if not options.receipt:
        raise UsageError("name the backup to prove; 'upgrader backup list' shows them")
    backup = cloud.role(BACKUP)[:1]
    proof = proof_step(cloud, {"receipt": options.receipt}, ())
    steps = (*common_gates(backup, formulas_digest), proof, removal(cloud, {"receipt": options.receipt}))
    return Stage(PROVE, f"prove that backup {options.receipt} can be restored", steps)


def backup_gates(cloud: Cloud, triggers: bool = False) -> tuple[Step, ...]:
    """The cluster is whole, the tool fits it, the store has room. ``cluster-state`` also says who carries how much.

    With ``triggers`` it also says whether accounts may make triggers, which keystone's way to Ocata demands.
    """
    backup, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    return (
        Step(
            "cluster-state",
            "every database node is a synced member of the cluster",
            Call(
                "module",
                "upgrader_galera.check",
                database,
                {"members": len(database), **({"triggers": True} if triggers else {})},
            ),
            GATE,
            anew=True,
        ),
        Step(
            "backup-tool",
            "backup tool matches the database server",
            Call("module", "upgrader_backup.check", database),
            GATE,
        ),
        Step("store-room", "backup store has room", Call("module", "upgrader_store.check_room", backup), GATE),
    )


def backup_steps(cloud: Cloud, counted: tuple[str, ...]) -> tuple[Step, ...]:
    """From the least busy node into the store, then the proof; ``counted`` databases get their rows counted in it."""
    backup, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    receipt = {"receipt": RUN_ID}
    return (
        Step("store-ready", "backup store accepts the database nodes", apply("xtrabackup.server", backup)),
        Step(
            "backup-access",
            "database nodes may write to the backup store",
            apply("xtrabackup.client", database),
            needs=("store-ready",),
        ),
        Step(
            "backup-create",
            "physical backup of all databases from the least busy node, streamed to the backup store",
            Call(
                "module",
                "upgrader_backup.create",
                database,
                {**receipt, "cloud": cloud.name},
                4 * HOURS,
                only=least_of("cluster-state", "load"),
            ),
            progress=Call("module", "upgrader_progress.backup", backup, receipt, MINUTE),
            needs=("backup-access",),
        ),
        proof_step(cloud, receipt, counted, needs=("backup-create",)),
    )


def proof_step(
    cloud: Cloud, receipt: Mapping[str, object], counted: tuple[str, ...], needs: tuple[str, ...] = ()
) -> Step:
    """Restore the backup into a scratch server and account for every table."""
    return Step(
        "backup-prove",
        "prove the backup: start a scratch server on it, compare every table with what the source held",
        Call(
            "module",
            "upgrader_store.prove",
            cloud.role(BACKUP)[:1],
            {**receipt, "databases": sorted(counted)},
            4 * HOURS,
        ),
        needs=needs,
    )


def removal(
    cloud: Cloud, receipt: Mapping[str, object] | None = None, needs: tuple[str, ...] = ("backup-prove",)
) -> Step:
    """The last step: the archive stays, its prepared copy and exports go."""
    return Step(
        "scratch-removed",
        "remove the scratch copy of the backup",
        Call(
            "module",
            "upgrader_store.remove_scratch",
            cloud.role(BACKUP)[:1],
            dict(receipt or {"receipt": RUN_ID}),
            5 * MINUTE,
        ),
        needs=needs,
    )


def apply(sls: str, nodes: tuple[str, ...]) -> Call:
    """Apply one SLS on these nodes."""
    return Call("state", "state.apply", nodes, {"mods": sls}, 10 * MINUTE)
