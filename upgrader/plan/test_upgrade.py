"""Stage test-upgrade: prove on a copy that the upgrade works. Nothing here may change a production database or service."""

from __future__ import annotations

from upgrader.model.cloud import BACKUP, DATABASE, UPGRADE, Cloud
from upgrader.plan import nova, services
from upgrader.plan.backup import HOURS, apply, backup_gates, backup_steps, removal
from upgrader.plan.binding import RUN_ID, reply_of
from upgrader.plan.gates import common_gates
from upgrader.plan.step import GATE, MINUTE, VERIFY, Call, Options, Stage, Step

NAME = "test-upgrade"
CONFIG_REPORT = "upgrader_options.report"


def test_upgrade(cloud: Cloud, formulas_digest: str, options: Options) -> Stage:
    """The rehearsal for ``cloud``; ``formulas_digest`` ties the plan to the code that the nodes must run."""
    steps = (
        *_gate(cloud, formulas_digest, options),
        *_copy(cloud),
        *_prepare(cloud),
        *_schemas(cloud, options),
        *_start(cloud),
        *_verify(cloud),
    )
    return Stage(NAME, "prove the upgrade on a copy of the databases", steps)


test_upgrade.__test__ = False  # type: ignore[attr-defined]  # the name is the stage's, not a test's


def _gate(cloud: Cloud, formulas_digest: str, options: Options) -> tuple[Step, ...]:
    backup = cloud.role(BACKUP)[:1]
    upgrade = cloud.role(UPGRADE)[:1]
    versions = {**nova.source_versions(cloud), **services.source_versions(cloud)}
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
            nova.preflight_call(cloud, options),
            GATE,
        ),
        *_config_report(cloud),
        Step(
            "clone-names",
            "the clones' names are free",
            Call("module", "upgrader_clone.check_names", backup, {"names": _clone_names(cloud)}),
            GATE,
        ),
        *backup_gates(cloud, triggers=True),
        Step(
            "upgrade-node",
            "upgrade node has Ocata's nova",
            Call("module", "upgrader_node.nova_installed", upgrade),
            GATE,
        ),
    )


def _config_report(cloud: Cloud) -> tuple[Step, ...]:
    """What Ocata sees in another way in the controllers' configuration; only told, unless a service would not start."""
    title = "no option of the controllers' configuration would keep Ocata from starting"
    call = Call("module", CONFIG_REPORT, cloud.controllers)
    return (Step("config-report", title, call, GATE),) if cloud.controllers else ()


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
        Step("upgrade-node-stopped", "no service of the copy runs", _apply_all(cloud, "stopped")),
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


def _apply_all(cloud: Cloud, what: str) -> Call:
    """One of the files that every service has, of all services at once: each takes a second, together hardly more."""
    return apply(",".join(f"{service.name}.{what}" for service in cloud.services), cloud.role(UPGRADE)[:1])


def _prepare(cloud: Cloud) -> tuple[Step, ...]:
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        Step(
            "services-install",
            "upgrade node has Ocata's code of every service",
            _apply_all(cloud, "installed"),
            needs=("clone-verify",),
        ),
        Step(
            "services-configure",
            "configuration of every service that names the clones and this node only",
            _apply_all(cloud, "configured"),
            needs=("services-install",),
        ),
        Step(
            "baseline",
            "write down what the source holds, by id, while the clones still equal it",
            Call("module", "upgrader_verify.baseline", upgrade, {"run": RUN_ID}, 30 * MINUTE),
            needs=("services-configure",),
        ),
    )


def _schemas(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    """Every service's way from Mitaka to Ocata, and right behind it what its tables hold against the backup.

    The rows are judged before anything of the copy runs: a service that has started writes rows of its own.
    """
    upgrade = cloud.role(UPGRADE)[:1]
    expected = {"expected": reply_of("backup-prove", "counts")}
    steps: list[Step] = []
    for service in cloud.services:
        if service.name == "nova":
            steps += nova.schema_steps(cloud, ("baseline",), options.repair_server_groups)
            call = Call("module", "upgrader_nova.verify", upgrade, expected, 30 * MINUTE)
            title = "nova: schemas, mappings and rows against the backup"
        else:
            steps += services.schema_steps(cloud, service.name, ("baseline",))
            call = Call("module", "upgrader_schema.verify", upgrade, {"service": service.name, **expected}, 30 * MINUTE)
            title = f"{service.name}: schema and rows against the backup"
        steps.append(Step(f"verify-{service.name}", f"verify {title}", call, VERIFY, needs=(steps[-1].id,)))
    return tuple(steps)


def _start(cloud: Cloud) -> tuple[Step, ...]:
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        Step(
            "copy-catalogue",
            "every endpoint of the copy leads to the upgrade node; Ocata's are added, identity is v3 only",
            Call("module", "upgrader_copy.catalogue", upgrade),
            needs=("verify-keystone",),
        ),
        Step(
            "copy-account",
            "an account of the copy's own for its services: nobody's password is needed",
            Call("module", "upgrader_copy.account", upgrade, timeout=5 * MINUTE),
            needs=("copy-catalogue",),
        ),
        Step(
            "queue-and-cache",
            "message queue and cache of the upgrade node's own",
            apply("rabbitmq,memcached", upgrade),
            needs=("copy-account",),
        ),
        Step(
            "services-start",
            "start the controller, once it is proven to lead nowhere else",
            _apply_all(cloud, "running"),
            needs=(*(f"verify-{service.name}" for service in cloud.services), "queue-and-cache"),
        ),
    )


def _verify(cloud: Cloud) -> tuple[Step, ...]:
    upgrade = cloud.role(UPGRADE)[:1]
    return (
        Step(
            "verify-cloud",
            "verify: eight lists by id against the source, catalogue, placement; make, read and delete six objects",
            Call("module", "upgrader_verify.calls", upgrade, {"run": RUN_ID}, 20 * MINUTE),
            VERIFY,
            needs=("services-start",),
        ),
        Step(
            "verify-nova-status",
            "verify: what Ocata's own nova-status says",
            Call("module", "upgrader_nova.status", upgrade, timeout=10 * MINUTE),
            VERIFY,
            needs=("services-start",),
        ),
        removal(cloud, needs=("verify-cloud", "verify-nova-status")),
    )
