"""Stages backup place and backup restore: the whole database cluster back to one backup, named by its id, by renames.

Everything that takes time is done before a server is stopped; from then on there are only renames and starts. What was
there before stays on every node, under another name.
"""

from __future__ import annotations

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.errors import UsageError
from upgrader.plan.blocks import backup
from upgrader.plan.blocks import restore as restoring
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.step import Facts, Options, Step


def place(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Make a backup ready beside every data directory, so that a later restore is only renames. No server is touched."""
    if not options.receipt:
        raise UsageError("name the backup by its id; 'upgrader backup list' shows them")
    return (
        *common_gates(cloud.holding(BACKUP, DATABASE), facts),
        *restoring.restore_gates(cloud, options),
        *backup.store_access(cloud, "read from"),
        restoring.placed(cloud),
    )


def restore(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """Put every database node back to backup ``options.receipt``. The first database node founds the cluster."""
    return (
        *place(cloud, facts, options),
        *restoring.exchanged(cloud),
        *restoring.serving(cloud),
        restoring.verified(cloud),
    )
