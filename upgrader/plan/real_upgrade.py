"""Stage real-upgrade: production's control plane built anew on the target release. What can be done before the window is."""

from __future__ import annotations

from dataclasses import replace

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.cloud.roles import COMPUTE, KVM, MESSAGE_QUEUE
from upgrader.errors import Refused
from upgrader.plan.backup_member import LEAST, kept_node
from upgrader.plan.blocks import backup, copy, deploy, machines, member, restore, schemas, window
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.preflight import preflight_gate
from upgrader.plan.blocks.schemas import ROLLBACK, in_production
from upgrader.plan.blocks.shapes import HOUR, READY, gate, verification, work
from upgrader.plan.references import RUN_ID, reply_of
from upgrader.plan.step import MINUTE, Call, Facts, Options, Step, in_lane

KEPT = "kept"
"""The lanes in which everything that leads back is kept."""


def real_upgrade(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """The whole stage. Raises Refused, with everything at once, for a model that does not say enough."""
    require_described(cloud)
    return (
        *_gates(cloud, facts, options),
        *_before(cloud),
        *window.closed(cloud, _ready(cloud), machines.first_off(cloud)),
        *_kept(cloud, options),
        *machines.exchanged(cloud, options.hard_stop, ("workers-stop",), KEPT),
        *machines.begun(cloud, _safe(cloud)),
        *machines.current(cloud, facts.modules, ("machine-registered",)),
        *_deployed(cloud, options),
        *window.reconnected(cloud, (deploy.control_after(cloud, ())[-1].id,)),
        *_verified(cloud, options),
    )


def require_described(cloud: Cloud) -> None:
    """Refused for what the model lacks, every sentence of it."""
    lacking = list(cloud.production.lacking)
    if not cloud.deployment.control_before:
        lacking.append(f"deployment {cloud.deployment.name} has no rows for controllers (control:)")
    if lacking:
        raise Refused(f"the model does not say enough for a real upgrade: {'; '.join(lacking)}")


def keeps_member(cloud: Cloud) -> bool:
    """Whether one database member is kept as the way back; a smaller cluster goes back to a backup placed beside."""
    return len(cloud.role(DATABASE)) >= LEAST


def _gates(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Only nodes that stay are asked anew on a resume: the machines are gone then, and one member may be kept."""
    staying = cloud.holding(BACKUP, DATABASE, KVM, MESSAGE_QUEUE, COMPUTE)
    versions, database = schemas.source_versions(cloud), cloud.role(DATABASE)
    at_source = Call("module", "upgrader_clone.check_source", cloud.role(BACKUP)[:1], {"versions": versions})
    kept = (member.hold_gate(database, kept_node(cloud, options.member)),) if keeps_member(cloud) else ()
    return (
        *common_gates(tuple(sorted({*staying, cloud.master})), facts),
        *machines.controllers_gate(cloud, facts.modules),
        gate("source-versions", f"databases are at {cloud.path.source.capitalize()}'s schema versions", at_source),
        preflight_gate(cloud, versions, options),
        *(replace(one, anew=False) for one in backup.backup_gates(cloud, triggers=True)),
        *kept,
        *machines.gates(cloud),
        *window.stand_gate(cloud),
    )


def _before(cloud: Cloud) -> tuple[Step, ...]:
    """Production runs on: a proven backup, the new disks, and somebody who watches the APIs."""
    taken = backup.backup_steps(cloud, _counted(cloud)) if keeps_member(cloud) else ()
    behind = ("backup-prove",) if taken else READY
    return (*taken, *machines.prepared(cloud, behind), *window.watched(cloud, READY))


def _counted(cloud: Cloud) -> tuple[str, ...]:
    return tuple(name for service in cloud.services for name in service.source_databases)


def _ready(cloud: Cloud) -> tuple[str, ...]:
    """Everything that has to be there before anybody notices anything."""
    disks = tuple(f"machine-disk-{one.host}" for one in cloud.production.machines)
    return (*disks, *(("watch-start",) if cloud.production.watched else ()))


def _kept(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    """What leads back, of the databases: while the machines go off and their disks are kept. No new machine starts before both."""
    way_back = _way_back(cloud, options, ("rows-counted",))
    until = way_back[0].id
    quiet = window.quiet(cloud, ("workers-stop",), until)
    return in_lane(f"{KEPT}:databases", (quiet, *window.written_down(cloud, (quiet.id,), until), *way_back))


def _way_back(cloud: Cloud, options: Options, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """The last moment of the source release, kept: by a member, or in a small cluster by a backup that is taken now and placed."""
    if keeps_member(cloud):
        return member.held(cloud.role(DATABASE), kept_node(cloud, options.member), needs)
    asked = {"receipt": RUN_ID, "cloud": cloud.name}
    proven = Call("module", "upgrader_store.require_proven", backup.store(cloud), asked, 4 * HOUR)
    title = "the backup is proven, of this cloud and byte for byte whole"
    return (
        *backup.backup_steps(cloud, _counted(cloud), needs),
        verification("restore-receipt", title, proven, ("backup-prove",)),
        restore.placed(cloud),
    )


def _safe(cloud: Cloud) -> tuple[str, ...]:
    return ("member-window",) if keeps_member(cloud) else ("restore-place",)


def _deployed(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    """Configuration, every schema once, the catalogue, the services."""
    node, after = cloud.role(BACKUP)[:1], window.new_databases(cloud)
    new = {"run": RUN_ID, "databases": sorted(after), "like": dict(after), "grants": dict(after)}
    create = Call("module", "upgrader_production.create_databases", node, new, 10 * MINUTE)
    title = "create the databases that are new: " + ", ".join(sorted(after))
    configured = deploy.control_before(cloud, ("databases-new",))
    primary = cloud.controllers[:1]
    asked = {"run": RUN_ID, **schemas.release(cloud), **copy.without(cloud)}
    baseline = Call("module", "upgrader_verify.baseline", primary, asked, 30 * MINUTE)
    noted = work(
        "baseline", "write down what production holds, as the APIs count it", baseline, ROLLBACK, (configured[-1].id,)
    )
    schema = _schemas(cloud, options, (noted.id,))
    catalogue = Call("module", "upgrader_production.catalogue", primary)
    verified = tuple(f"verify-{service.name}" for service in cloud.services)
    told = "the catalogue gets what Ocata adds; everything else in it stays"
    listed = work("catalogue", told, catalogue, ROLLBACK, verified)
    shared = _keystone_keys(cloud)
    return (
        work("databases-new", title, create, ROLLBACK, ("machine-pillar",)),
        *configured,
        noted,
        *schema,
        listed,
        *shared,
        *deploy.control_after(cloud, (*verified, "catalogue", *(step.id for step in shared[-1:]))),
    )  # fmt: skip


def _keystone_keys(cloud: Cloud) -> tuple[Step, ...]:
    """Tokens and credentials of one controller are read by all: its keys go to the others, sealed for each by its minion's key."""
    primary, others = cloud.controllers[:1], cloud.controllers[1:]
    if not others:
        return ()
    public = Call("module", "upgrader_key.public", (cloud.master,), {"nodes": list(others)})
    seal = Call("module", "upgrader_keystone.seal", primary, {"recipients": reply_of("keystone-recipients", "keys")})
    given = {"run": RUN_ID, **{key: reply_of("keystone-keys-sealed", key) for key in ("sealed", "hashes")}}
    unseal = Call("module", "upgrader_keystone.unseal", others, given)
    return (
        work(
            "keystone-recipients",
            "the keys by which the other controllers are known",
            public,
            "it only reads",
            ("verify-keystone",),
        ),
        work(
            "keystone-keys-sealed",
            "seal keystone's keys for each of them",
            seal,
            "it only reads",
            ("keystone-recipients",),
        ),
        work(
            "keystone-keys-shared",
            "every controller has the same keystone keys",
            unseal,
            ROLLBACK,
            ("keystone-keys-sealed",),
        ),
    )


def _schemas(cloud: Cloud, options: Options, needs: tuple[str, ...]) -> tuple[Step, ...]:
    """Each service beside the others, by the code that the rehearsal proved. One that fails does not stop the others: the way
    back takes all of them.
    """
    steps, where = list[Step](), in_production(cloud)
    for service in cloud.services:
        steps += schemas.schema_steps(cloud, service.name, needs, options, where)
        expected = reply_of("rows-counted", "counts")
        steps.append(schemas.verify_step(cloud, service.name, (steps[-1].id,), expected, where))
    return tuple(steps)


def _verified(cloud: Cloud, options: Options) -> tuple[Step, ...]:
    """Through the virtual address against what production held, and on each controller; then one server made and read at once."""
    last, primary = deploy.control_after(cloud, ())[-1].id, cloud.controllers[:1]
    calls = Call("module", "upgrader_verify.calls", primary, {"run": RUN_ID, **copy.without(cloud)}, 20 * MINUTE)
    production = {**schemas.release(cloud), "allow_production": True}
    status = Call("module", "upgrader_nova.status", primary, production, 10 * MINUTE)
    steps = [
        verification("verify-cloud", "verify: eight lists by id against what production held", calls, (last,)),
        verification("verify-nova-status", "verify: what Ocata's own nova-status says", status, (last,)),
    ]
    steps += _others(cloud, last)
    if cloud.role(COMPUTE):
        smoke = Call("module", "upgrader_smoke.server", primary, {"run": RUN_ID, **options.smoke}, 10 * MINUTE)
        title = f"verify: a server is made on a compute of {cloud.path.source.capitalize()}, read at once and deleted"
        steps.append(verification("verify-server", title, smoke, ("verify-cloud", "computes-reconnect")))
    return (*steps, *window.watched_to_the_end(cloud, ("verify-cloud",)))


def _others(cloud: Cloud, last: str) -> list[Step]:
    """What was written down before is on the first controller; the others' own services are asked without it."""
    if len(cloud.controllers) < 2:
        return []
    args = {"run": "none", "through": "own", "change": False, **copy.without(cloud)}
    call = Call("module", "upgrader_verify.calls", cloud.controllers[1:], args, 20 * MINUTE)
    title = "verify: every other controller's own services answer the same questions"
    return [verification("verify-controllers", title, call, (last,))]
