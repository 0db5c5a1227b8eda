"""Stage backup prune: the oldest backups go, but none that a run may still need."""

from __future__ import annotations

from upgrader.cloud.cloud import Cloud
from upgrader.plan.blocks import backup
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.blocks.shapes import HOUR, READY, work
from upgrader.plan.step import Call, Facts, Options, Step

REMOVED = "an archive that is removed is gone; the plan names those that stay whatever their age"


def prune_call(cloud: Cloud, options: Options, dry_run: bool) -> Call:
    """What the store is asked to remove, or to say that it would."""
    args = {"keep": options.keep, "protected": list(options.protected), "dry_run": dry_run}
    return Call("module", "upgrader_store.prune", backup.store(cloud), args, HOUR)


def prune(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """``options.protected`` was read under the cloud's lock, which the run holds to its end."""
    call = prune_call(cloud, options, dry_run=False)
    return (
        *common_gates(backup.store(cloud), facts),
        work("prune", "remove the oldest backups that no run needs", call, REMOVED, READY),
    )
