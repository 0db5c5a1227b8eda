"""What has to have passed before a stage: on this cloud, with these formulas and this model, and not long ago."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from upgrader.errors import Refused
from upgrader.journal.archive import Archive
from upgrader.journal.progress import FINISHED, RunProgress
from upgrader.plan.facts import changes
from upgrader.plan.step import Facts, Plan

DAYS = 86400.0


def require_passed(archive: Archive, plan: Plan, fresh: Mapping[str, int], now: str) -> None:
    """Refuse a stage whose forerunners have not passed on this cloud: what they prove is what it stands on.

    ``fresh`` maps a forerunner to the days for which its proof holds; such a one must have been made with the same formulas and
    Salt modules, and with the same pillar of the nodes that it worked on, too. ``now`` is UTC in ISO 8601.
    """
    for stage in (name for one in plan.stages for name in one.requires):
        last = archive.last_of(plan.cloud, plan.part, stage)
        if last is None or last.state != FINISHED:
            state = "has never run" if last is None else f"is {last.state} (run {last.run_id})"
            raise Refused(f"{_needs(plan, stage)}, and it {state}: {_to_its_end(plan, stage)}")
        if stage in fresh:
            _require_fresh(plan, last, fresh[stage], now)


def _require_fresh(plan: Plan, last: RunProgress, days: int, now: str) -> None:
    head = f"{_needs(plan, last.stage)}, and run {last.run_id}"
    age = (_time(now) - _time(last.last_at)).total_seconds() / DAYS
    if age > days:
        raise Refused(f"{head} is {age:.0f} days old, {days} are allowed: {_to_its_end(plan, last.stage)}")
    nodes = set(last.plan.nodes()) - _built_anew(plan)
    changed = changes(_of(last.plan.facts, nodes), _of(plan.facts, nodes))
    if changed:
        raise Refused(
            f"{head} proved something else, for since then {'; '.join(changed)}: {_to_its_end(plan, last.stage)}"
        )


def _of(facts: Facts, nodes: Collection[str]) -> Facts:
    """What was proved: the code, and the model of the nodes that it was proved on."""
    keys = {node: held for node, held in facts.keys.items() if node in nodes}
    return replace(facts, keys=keys, pillar=json.dumps(keys, sort_keys=True))


def _built_anew(plan: Plan) -> set[str]:
    """Machines that the plan builds: their model is switched to the target release behind the rehearsal, and not before it."""
    return {node for step in plan.steps() if step.id == "machines-answer" for node in step.call.nodes}


def _needs(plan: Plan, stage: str) -> str:
    return f"{plan.part} {plan.stages[0].name} needs that {stage} has passed on cloud {plan.cloud}"


def _to_its_end(plan: Plan, stage: str) -> str:
    return f"run 'upgrader {plan.part} --stage {stage}' to its end first"


def _time(said: str) -> datetime:
    return datetime.fromisoformat(said.replace("Z", "+00:00"))
