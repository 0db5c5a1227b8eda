"""From a cloud to a plan: which stages there are is a table, and the table reads like the runbook."""

from __future__ import annotations

from collections.abc import Callable

from upgrader.errors import UsageError
from upgrader.model.cloud import Cloud
from upgrader.plan.step import Options, Plan, Stage, check_plan
from upgrader.plan.test_upgrade import NAME as TEST_UPGRADE
from upgrader.plan.test_upgrade import test_upgrade

STAGES: dict[str, dict[str, Callable[[Cloud, str, Options], Stage]]] = {
    "control-plane": {TEST_UPGRADE: test_upgrade},
}


def make_plan(cloud: Cloud, part: str, stage: str, formulas_digest: str, options: Options | None = None) -> Plan:
    """The plan for one stage of one part of the cloud. Pure: the same cloud, formulas and options give the same digest."""
    try:
        build = STAGES[part][stage]
    except KeyError:
        known = ", ".join(name for stages in STAGES.values() for name in stages)
        raise UsageError(f"unknown stage {stage!r} of {part}; this version has: {known}") from None
    plan = Plan(
        cloud.name, cloud.path.source, cloud.path.target, part, (build(cloud, formulas_digest, options or Options()),)
    )
    check_plan(plan)
    return plan
