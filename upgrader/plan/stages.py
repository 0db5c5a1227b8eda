"""All stages, in one table that reads like the runbook. Everything else that has to do with stages asks this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from upgrader.cloud.cloud import Cloud
from upgrader.errors import UsageError
from upgrader.plan import data_plane
from upgrader.plan.amounts import count_of
from upgrader.plan.backup_create import create, prove
from upgrader.plan.backup_member import back, hold, rejoin
from upgrader.plan.backup_prune import prune
from upgrader.plan.backup_restore import place, restore
from upgrader.plan.finish import finish
from upgrader.plan.options import Rollout
from upgrader.plan.real_upgrade import real_upgrade
from upgrader.plan.rehearsal import rehearsal
from upgrader.plan.rollback import rollback
from upgrader.plan.step import Facts, Options, Plan, Stage, Step
from upgrader.plan.ways_back import GIVES_UP

CONTROL_PLANE, DATA_PLANE, BACKUP = "control-plane", "data-plane", "backup"
Builder = Callable[[Cloud, Facts, Options], tuple[Step, ...]]


@dataclass(frozen=True)
class StageRow:
    """One stage: its part, name and title (``{receipt}`` is the backup that it was given; ``{kept}``, ``{built}`` and
    ``{rollout}`` are the run that it is about), and who makes its steps.

    ``requires`` are stages of the same part that must have passed on this cloud before. One that ``changes_world`` changes
    databases or services that an unfinished run relies on: such stages wait for each other, the others run beside them.
    While a run of one that ``keeps_backup`` may go on, or is the newest that finished, pruning leaves its backup. ``asks`` is
    how often the operator confirms before it begins; ``expires`` is after how many seconds an approval is void (None: it
    needs none). Unfinished runs of the stages that it ``gives_up`` are left behind when it begins: it is their way back.
    ``fresh`` are days: for so long a required stage's proof holds, and only for the same formulas and the same model.
    """

    part: str
    name: str
    title: str
    build: Builder
    requires: tuple[str, ...] = ()
    changes_world: bool = True
    keeps_backup: bool = False
    asks: int = 0
    expires: int | None = None
    gives_up: tuple[str, ...] = ()
    fresh: Mapping[str, int] = field(default_factory=dict)


STAGES = (
    StageRow(
        CONTROL_PLANE, "test-upgrade", "prove the upgrade on a copy of the databases", rehearsal,
        keeps_backup=True,
    ),
    StageRow(
        CONTROL_PLANE, "real-upgrade", "build production's control plane anew on the target release", real_upgrade,
        requires=("test-upgrade",), fresh={"test-upgrade": 14}, keeps_backup=True, asks=1,
    ),
    StageRow(
        CONTROL_PLANE, "rollback", "put the control plane back to where it was before run {built}", rollback,
        keeps_backup=True, asks=2, gives_up=GIVES_UP[CONTROL_PLANE, "rollback"],
    ),
    StageRow(
        CONTROL_PLANE, "finish", "close run {built}: its way back is given up", finish,
        requires=("real-upgrade",), asks=1,
    ),
    StageRow(
        DATA_PLANE, "test", "show what an upgrade would change on computes and gateways", data_plane.asked,
        changes_world=False,
    ),
    StageRow(
        DATA_PLANE, "sample", "upgrade a few nodes, to be looked at", data_plane.upgraded,
        asks=1, expires=7200,
    ),
    StageRow(
        DATA_PLANE, "all", "upgrade all other nodes, batch after batch", data_plane.upgraded,
        requires=("sample",), asks=1, expires=7200,
    ),
    StageRow(
        DATA_PLANE, "rollback", "put the nodes of run {rollout} back to the release of before", data_plane.rollback,
        asks=1, expires=7200, gives_up=GIVES_UP[DATA_PLANE, "rollback"],
    ),
    StageRow(
        BACKUP, "create", "back the databases up and prove that the backup can be restored", create,
        changes_world=False,
    ),
    StageRow(
        BACKUP, "prove", "prove that backup {receipt} can be restored", prove,
        changes_world=False,
    ),
    StageRow(
        BACKUP, "place", "make backup {receipt} ready beside every data directory", place,
        changes_world=False, keeps_backup=True,
    ),
    StageRow(
        BACKUP, "restore", "put every database node back to backup {receipt}", restore,
        keeps_backup=True, asks=1,
    ),
    StageRow(
        BACKUP, "hold", "keep one database member as it is now, as a way back within seconds", hold,
    ),
    StageRow(
        BACKUP, "back", "put the database cluster back to the member that run {kept} keeps", back,
        asks=2,
    ),
    StageRow(
        BACKUP, "rejoin", "give the member that run {kept} keeps back to the cluster that went on", rejoin,
        asks=1,
    ),
    StageRow(
        BACKUP, "prune", "remove the oldest backups that no run needs", prune,
        changes_world=False,
    ),
)  # fmt: skip


def stage_names(part: str) -> tuple[str, ...]:
    """The stages of one part, in the order of the runbook."""
    return tuple(row.name for row in STAGES if row.part == part)


def stage_row(part: str, name: str) -> StageRow:
    """One row of the table. Raises UsageError that names what there is, the nearest first."""
    for row in STAGES:
        if (row.part, row.name) == (part, name):
            return row
    near = get_close_matches(name, stage_names(part), 1)
    known = ", ".join(f"{row.part} {row.name}" for row in STAGES)
    meant = f"is {near[0]} meant? " if near else ""
    raise UsageError(f"unknown stage {name!r} of {part}: {meant}This version has {known}")


def changes_world(part: str, name: str) -> bool:
    """Whether a stage changes what an unfinished run of another one relies on; one that this version does not know may."""
    return all(row.changes_world for row in STAGES if (row.part, row.name) == (part, name))


def keeps_backup(part: str, name: str) -> bool:
    """Whether runs of a stage stand on a backup; those of one that this version does not know may."""
    return all(row.keeps_backup for row in STAGES if (row.part, row.name) == (part, name))


def make_plan(cloud: Cloud, part: str, stage: str, facts: Facts, options: Options | None = None) -> Plan:
    """The plan for one stage of one part of the cloud. Pure: the same cloud, facts and options give the same digest."""
    row, wanted = stage_row(part, stage), options or Options()
    steps = row.build(cloud, facts, wanted)
    kept, built = wanted.kept.run if wanted.kept else "", wanted.built.run if wanted.built else ""
    taken_back = wanted.rollout.run if wanted.rollout else ""
    title = row.title.format(receipt=wanted.receipt, kept=kept, built=built, rollout=taken_back)
    made = Stage(row.name, title, steps, row.requires, *_over_nodes(wanted.rollout))
    return Plan(cloud.name, cloud.path.source, cloud.path.target, part, (made,), facts)


def _over_nodes(rollout: Rollout | None) -> tuple[tuple[str, ...], int]:
    """The nodes that the operator named, and how many of the stage's own may fail."""
    return (rollout.target, count_of(rollout.max_failures, len(rollout.nodes))) if rollout else ((), 0)
