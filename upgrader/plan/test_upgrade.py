"""Stage test-upgrade: prove on a copy that the upgrade works. Nothing here may change a production database or service."""

from __future__ import annotations

from upgrader.model.cloud import BACKUP, DATABASE, UPGRADE, Cloud
from upgrader.plan.binding import RUN_ID, reply_of
from upgrader.plan.gates import common_gates
from upgrader.plan.nova import MINUTE, preflight_call, schema_steps, source_versions
from upgrader.plan.step import GATE, VERIFY, Call, Options, Stage, Step

NAME = "test-upgrade"


def test_upgrade(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """The rehearsal for ``cloud``; ``formulas_digest`` ties the plan to the code that the nodes must run."""
    steps = (*_gate(cloud, formulas_digest, options), *_copy(cloud), *_nova(cloud, options), *_verify(cloud))
    return Stage(NAME, "prove the upgrade on a copy of the databases", steps)


test_upgrade.__test__ = False  # type: ignore[attr-defined]  # the name is the stage's, not a test's


def _gate(cloud: Cloud, formulas_digest: str, options: Options) -> tuple[Step, ...]:
    backup = cloud.role(BACKUP)[:1]
    database, upgrade = cloud.role(DATABASE), cloud.role(UPGRADE)[:1]
    versions = source_versions(cloud)
    return (
        *common_gates(cloud.all_nodes, formulas_digest),
        Step(
            "source-versions",
            f"source databases are at {cloud.path.source.capitalize()}'s schema versions",
            Call("module", "upgrader_clone.check_source", backup, {"versions": versions}),
            GATE,
        ),
        Step(
            "preflight",
            "nothing in the source databases would stop the upgrade",
            preflight_call(cloud, options),
            GATE,
        ),
        Step(
            "backup-tool",
            "backup tool matches the database server",
            Call("module", "upgrader_backup.check", database),
            GATE,
        ),
        Step("store-room", "backup store has room", Call("module", "upgrader_store.check_room", backup), GATE),
        Step(
            "upgrade-node",
            "upgrade node has Ocata's nova",
            Call("module", "upgrader_node.nova_installed", upgrade),
            GATE,
        ),
    )


def _copy(cloud: Cloud) -> tuple[Step, ...]:
    backup, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)[:1]
    clones = {clone: source for service in cloud.services for source, clone in service.clones}
    empty = [name for service in cloud.services for name in service.upgrade_databases if name not in clones]
    receipt = {"receipt": RUN_ID}
    return (
        Step("store-ready", "backup store accepts the database node", _apply("xtrabackup.server", backup)),
        Step(
            "backup-access",
            "database node may write to the backup store",
            _apply("xtrabackup.client", database),
            needs=("store-ready",),
        ),
        Step(
            "backup-create",
            "physical backup of all databases, streamed to the backup store",
            Call("module", "upgrader_backup.create", database, receipt, 240 * MINUTE),
            progress=Call("module", "upgrader_progress.backup", backup, receipt, MINUTE),
            needs=("backup-access",),
        ),
        Step(
            "backup-prove",
            "prove the backup: prepare it, start a scratch server on it, check every table",
            Call(
                "module",
                "upgrader_store.prove",
                backup,
                {**receipt, "databases": sorted(clones.values())},
                240 * MINUTE,
            ),
            needs=("backup-create",),
        ),
        Step("upgrade-node-stopped", "no service of the copy runs", _apply("nova.stopped", cloud.role(UPGRADE)[:1])),
        Step(
            "clone-create",
            "create the clone databases: " + ", ".join([*sorted(clones), *empty]),
            Call(
                "module",
                "upgrader_clone.create",
                backup,
                {"run": RUN_ID, "names": [*sorted(clones), *empty]},
                10 * MINUTE,
            ),
            needs=("backup-prove", "upgrade-node-stopped"),
        ),
        Step(
            "clone-fill",
            "fill the clones from the proven backup",
            Call("module", "upgrader_clone.fill", backup, {**receipt, "clones": clones}, 240 * MINUTE),
            needs=("clone-create",),
        ),
    )


def _nova(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        Step(
            "nova-configure",
            "nova: configuration that names the clones only",
            _apply("nova.configured", upgrade),
            needs=("clone-fill",),
        ),
        *schema_steps(cloud, ("nova-configure",), options.repair_server_groups),
        Step("nova-api", "nova: start the API on the clones", _apply("nova.running", upgrade), needs=("nova-online",)),
    )


def _verify(cloud: Cloud) -> tuple[Step, ...]:
    backup, upgrade = cloud.role(BACKUP)[:1], cloud.role(UPGRADE)[:1]
    expected = {"expected": reply_of("backup-prove", "counts")}
    return (
        Step(
            "verify-rows",
            "verify: schemas, mappings and rows against the backup",
            Call("module", "upgrader_nova.verify", upgrade, expected, 30 * MINUTE),
            VERIFY,
            needs=("nova-online",),
        ),
        Step(
            "verify-nova-status",
            "verify: what Ocata's own nova-status says",
            Call("module", "upgrader_nova.status", upgrade, timeout=10 * MINUTE),
            VERIFY,
            needs=("nova-online",),
        ),
        Step(
            "verify-api",
            "verify: flavors, servers and services as the API of the copy lists them",
            Call("module", "upgrader_nova.verify_api", upgrade, expected, 10 * MINUTE),
            VERIFY,
            needs=("nova-api",),
        ),
        Step(
            "scratch-removed",
            "remove the scratch copy of the backup",
            Call("module", "upgrader_store.remove_scratch", backup, {"receipt": RUN_ID}, 5 * MINUTE),
            needs=("verify-rows", "verify-nova-status", "verify-api"),
        ),
    )


def _apply(sls: str, nodes: tuple[str, ...]) -> Call:
    return Call("state", "state.apply", nodes, {"mods": sls}, 10 * MINUTE)
