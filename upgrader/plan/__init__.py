"""From a cloud to a plan: which stages there are is a table, and the table reads like the runbook."""

from __future__ import annotations

from collections.abc import Callable

from upgrader.errors import UsageError
from upgrader.model.cloud import Cloud
from upgrader.plan.backup import CREATE, PROVE, create, prove
from upgrader.plan.restore import PLACE, RESTORE, place, restore
from upgrader.plan.step import Options, Plan, Stage, check_plan
from upgrader.plan.test_upgrade import NAME as TEST_UPGRADE
from upgrader.plan.test_upgrade import test_upgrade

CONTROL_PLANE, BACKUP = "control-plane", "backup"

STAGES: dict[str, dict[str, Callable[[Cloud, str, Options], Stage]]] = {
    CONTROL_PLANE: {TEST_UPGRADE: test_upgrade},
    BACKUP: {CREATE: create, PROVE: prove, PLACE: place, RESTORE: restore},
}
BESIDE = {(BACKUP, CREATE), (BACKUP, PROVE), (BACKUP, PLACE)}
"""Stages that leave databases and services as they are: they may run beside a run that stands half way."""


def changes_world(part: str, stage: str) -> bool:
    """Whether a stage changes what an unfinished run of another one relies on."""
    return (part, stage) not in BESIDE


def make_plan(cloud: Cloud, part: str, stage: str, formulas_digest: str, options: Options | None = None) -> Plan:
    """The plan for one stage of one part of the cloud. Pure: the same cloud, formulas and options give the same digest."""
    try:
        build = STAGES[part][stage]
    except KeyError:
        known = ", ".join(f"{part} {name}" for part, stages in STAGES.items() for name in stages)
        raise UsageError(f"unknown stage {stage!r} of {part}; this version has: {known}") from None
    plan = Plan(
        cloud.name, cloud.path.source, cloud.path.target, part, (build(cloud, formulas_digest, options or Options()),)
    )
    check_plan(plan)
    return plan
