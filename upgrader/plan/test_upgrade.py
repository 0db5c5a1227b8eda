"""Stage test-upgrade: prove on a copy that the upgrade works. Nothing here may change a production database or service."""

from __future__ import annotations

from upgrader.model.cloud import BACKUP, DATABASE, UPGRADE, Cloud
from upgrader.plan.backup import HOURS, apply, backup_gates, backup_steps, removal
from upgrader.plan.binding import RUN_ID, reply_of
from upgrader.plan.gates import common_gates
from upgrader.plan.nova import preflight_call, schema_steps, source_versions
from upgrader.plan.step import GATE, MINUTE, VERIFY, Call, Options, Stage, Step

NAME = "test-upgrade"


def test_upgrade(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """The rehearsal for ``cloud``; ``formulas_digest`` ties the plan to the code that the nodes must run."""
    steps = (*_gate(cloud, formulas_digest, options), *_copy(cloud), *_nova(cloud, options), *_verify(cloud))
    return Stage(NAME, "prove the upgrade on a copy of the databases", steps)


test_upgrade.__test__ = False  # type: ignore[attr-defined]  # the name is the stage's, not a test's


def _gate(cloud: Cloud, formulas_digest: str, options: Options) -> tuple[Step, ...]:
    backup = cloud.role(BACKUP)[:1]
    upgrade = cloud.role(UPGRADE)[:1]
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
            "clone-names",
            "the clones' names are free",
            Call("module", "upgrader_clone.check_names", backup, {"names": _clone_names(cloud)}),
            GATE,
        ),
        *backup_gates(cloud),
        Step(
            "upgrade-node",
            "upgrade node has Ocata's nova",
            Call("module", "upgrader_node.nova_installed", upgrade),
            GATE,
        ),
    )


def _clones(cloud: Cloud) -> dict[str, str]:
    """Name of each clone that is filled -> name of its source."""
    return {clone: source for service in cloud.services for source, clone in service.clones}


def _clone_names(cloud: Cloud) -> list[str]:
    """Every database that a rehearsal creates, the ones that begin empty last."""
    filled = _clones(cloud)
    empty = [name for service in cloud.services for name in service.upgrade_databases if name not in filled]
    return [*sorted(filled), *empty]


def _copy(cloud: Cloud) -> tuple[Step, ...]:
    backup, database = cloud.role(BACKUP)[:1], cloud.role(DATABASE)
    clones, names = _clones(cloud), _clone_names(cloud)
    copying = {"receipt": RUN_ID, "clones": clones}
    return (
        *backup_steps(cloud, tuple(clones.values())),
        Step("upgrade-node-stopped", "no service of the copy runs", apply("nova.stopped", cloud.role(UPGRADE)[:1])),
        Step(
            "clone-create",
            "create the clone databases: " + ", ".join(names),
            Call("module", "upgrader_clone.create", backup, {"run": RUN_ID, "names": names}, 10 * MINUTE),
            needs=("backup-prove", "upgrade-node-stopped"),
        ),
        Step(
            "clone-export",
            "export the databases from the proven backup, and decide how each is cloned",
            Call(
                "module",
                "upgrader_export.create",
                backup,
                {"receipt": RUN_ID, "databases": sorted(clones.values())},
                4 * HOURS,
            ),
            needs=("clone-create",),
        ),
        Step(
            "clone-load",
            "fill the clones on every database node with the exported tablespaces",
            Call(
                "module",
                "upgrader_tablespace.load",
                database,
                {**copying, "exports": reply_of("clone-export", "exports")},
                4 * HOURS,
            ),
            needs=("clone-export",),
        ),
        Step(
            "clone-fill",
            "fill by dump and load the clones that cannot be filled by tablespaces",
            Call(
                "module",
                "upgrader_clone.fill",
                backup,
                {**copying, "logical": reply_of("clone-export", "logical")},
                4 * HOURS,
            ),
            needs=("clone-load",),
        ),
        Step(
            "clone-verify",
            "every table of the clones equals the backup on every database node",
            Call("module", "upgrader_tablespace.compare", database, {**copying, "members": len(database)}, 2 * HOURS),
            needs=("clone-fill",),
        ),
    )


def _nova(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        Step(
            "nova-configure",
            "nova: configuration that names the clones only",
            apply("nova.configured", upgrade),
            needs=("clone-verify",),
        ),
        *schema_steps(cloud, ("nova-configure",), options.repair_server_groups),
        Step("nova-api", "nova: start the API on the clones", apply("nova.running", upgrade), needs=("nova-online",)),
    )


def _verify(cloud: Cloud) -> tuple[Step, ...]:
    upgrade = cloud.role(UPGRADE)[:1]
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
        removal(cloud, needs=("verify-rows", "verify-nova-status", "verify-api")),
    )
