"""Stage rollback: the control plane as it was before the window, from the receipts of the real upgrade and from nothing else."""

from __future__ import annotations

from dataclasses import replace

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.cloud.roles import KVM
from upgrader.errors import Refused, UsageError
from upgrader.plan.backup_member import kept_and_others
from upgrader.plan.blocks import machines, member, restore, window
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.shapes import READY, gate, verification, work
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import BACKUPS, MINUTE, Built, Call, Facts, Kept, Options, Step, in_lane

FORWARD = "'upgrader control-plane --stage real-upgrade' goes forward again"
BACK = "back"
"""The lanes of what was kept: databases, disks and keys, each in its place again."""


def rollback(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Back to the moment before the window. Controllers that are dead or silent are no obstacle: nobody asks them anything.

    The first database server serves before the others have joined it, so the machines start beside them.
    """
    built = _built(options)
    kept, others = kept_and_others(cloud, replace(options, kept=built.kept)) if built.kept else (None, ())
    stopped = [replace(machines.off(one, True, READY), lane=f"stopped:{one.host}") for one in _machines(cloud)]
    ends = tuple(step.id for step in stopped)
    databases, joins = _databases(cloud, built, kept, others, ends)
    backs = [
        replace(machines.back(one, built.run, built.receipts, ends), lane=f"{BACK}:{one.host}")
        for one in cloud.production.machines
    ]
    keys = in_lane(f"{BACK}:keys", _keys(cloud, built, ends))
    ready = tuple(step.id for step in (*backs, *keys, *databases[-1:]))
    started = [machines.start(one, ready, FORWARD) for one in cloud.production.machines]
    return (
        *_gates(cloud, facts, built, kept, others),
        *window.watched(cloud, READY),
        *stopped,
        *in_lane(f"{BACK}:databases", databases),
        *backs,
        *keys,
        *started,
        machines.registered(cloud, tuple(step.id for step in started)),
        *_serving(cloud),
        *joins,
        *window.reconnected(cloud, ("machine-registered",)),
        *_verified(cloud, built),
        *window.watched_to_the_end(cloud, ("verify-apis",)),
    )


def _built(options: Options) -> Built:
    if options.built is None:
        raise UsageError("name the run of real-upgrade that is taken back; 'upgrader history' lists the runs")
    return options.built


def _machines(cloud: Cloud) -> tuple[machines.Machine, ...]:
    if not cloud.production.machines:
        raise Refused(f"the model does not say which machines were built anew: {'; '.join(cloud.production.lacking)}")
    return machines.in_order_of_stopping(cloud)


def _gates(cloud: Cloud, facts: Facts, built: Built, kept: Kept | None, others: tuple[str, ...]) -> tuple[Step, ...]:
    """Nodes that the way back needs. Database nodes that are dead are left out by name, computes that are silent are not asked."""
    database = (kept.node, *others) if kept else cloud.role(DATABASE) if built.placed else ()
    staying = tuple(sorted({*cloud.holding(BACKUP, KVM), cloud.master, *database}))
    answer, *common = common_gates(staying, facts)
    main = {"database": cloud.service("nova").source_databases[0]}
    computes = Call("module", "upgrader_production.computes_at_source", cloud.role(BACKUP)[:1], main)
    return (
        replace(answer, mends=BACKUPS),
        *common,
        gate("computes-at-source", f"no compute runs {cloud.path.target.capitalize()} yet", computes),
        *(member.back_gates(kept, others) if kept else ()),
        *(restore.restore_gates(cloud, Options(receipt=built.run)) if built.placed else ()),
        *(machines.untouched(one, built.run, built.receipts) for one in cloud.production.machines),
    )


def _databases(
    cloud: Cloud, built: Built, kept: Kept | None, others: tuple[str, ...], needs: tuple[str, ...]
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Until the first server serves, and what comes behind it. Where nothing was kept, nothing was written either."""
    if kept is not None:
        founded = member.founded(kept, others, ("member-untouched", "member-others", *needs))
        return founded, member.joined(kept, others)
    if not built.placed:
        return (), ()
    place = replace(restore.placed(cloud), needs=("restore-receipt", "restore-node", *needs))
    found, *joins = restore.serving(cloud)
    return (place, *restore.exchanged(cloud), found), (*joins, restore.verified(cloud))


def _keys(cloud: Cloud, built: Built, needs: tuple[str, ...]) -> tuple[Step, ...]:
    if not built.keys:
        return ()
    args = {"run": built.run, "nodes": list(machines.nodes_of(cloud.production.machines))}
    call = Call("module", "upgrader_key.restore", (cloud.master,), args)
    return (work("machine-keys-back", "the Salt master knows the old machines again", call, FORWARD, needs),)


def _serving(cloud: Cloud) -> tuple[Step, ...]:
    if not cloud.production.watched:
        return ()
    call = Call("module", "upgrader_prober.answering", (cloud.master,), {"run": RUN_ID}, 5 * MINUTE)
    title, needs = "verify: every API answers again", ("machine-registered", "watch-start")
    return (verification("verify-apis", title, call, needs),)


def _verified(cloud: Cloud, built: Built) -> tuple[Step, ...]:
    """Every object of before the window is there, and nothing else."""
    if built.kept is None and not built.placed:
        return ()
    last = "member-verify" if built.kept else "restore-verify"
    call = Call("module", "upgrader_production.same", cloud.role(BACKUP)[:1], {"run": built.run}, 30 * MINUTE)
    title = f"verify: what production held is there, by id, at {cloud.path.source.capitalize()}'s schema versions"
    return (verification("verify-objects", title, call, (last, "machine-registered")),)
