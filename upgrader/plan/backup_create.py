"""Stages backup create and backup prove: one backup of the whole cluster, and the proof that it can be restored."""

from __future__ import annotations

from upgrader.cloud.cloud import BACKUP, DATABASE, Cloud
from upgrader.errors import UsageError
from upgrader.plan.blocks import backup
from upgrader.plan.blocks.gates import common_gates
from upgrader.plan.step import Facts, Options, Step


def create(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """One backup of the whole cluster, proven. Its id is the run's."""
    return (
        *common_gates(cloud.holding(BACKUP, DATABASE), facts),
        *backup.backup_gates(cloud),
        *backup.backup_steps(cloud, counted=()),
        backup.scratch_removal(cloud, backup.OF_THIS_RUN, needs=("backup-prove",)),
    )


def prove(cloud: Cloud, facts: Facts, options: Options) -> tuple[Step, ...]:
    """The proof of a backup that was taken without one, or long ago."""
    if not options.receipt:
        raise UsageError("name the backup to prove; 'upgrader backup list' shows them")
    receipt = {"receipt": options.receipt}
    return (
        *common_gates(backup.store(cloud), facts),
        backup.proof(cloud, receipt, counted=()),
        backup.scratch_removal(cloud, receipt, needs=("backup-prove",)),
    )
