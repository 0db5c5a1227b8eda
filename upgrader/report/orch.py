"""A stage as a file for ``salt-run state.orchestrate``: every step of the plan, without the engine.

Nothing is rendered in it (``#!yaml``): what is only known during the run stays a reference, which runner ``upgrader_step.call`` binds.
There is no journal, no resume, no way back and nobody who watches: it is for a site whose own tools have to carry a stage out.
"""

from __future__ import annotations

from typing import Any

import yaml

from upgrader.errors import UsageError
from upgrader.plan.amounts import count_of
from upgrader.plan.step import GATE, Call, Plan, Step

RUNNER = "upgrader_step.call"
HEAD = """#!yaml
# {title}
# Cloud {cloud}, plan {digest}, run {run}: one file is one run. Save it below a folder of file_roots, then
#   salt-run state.orchestrate NAME
# A step that was done is not done again when the file is run again; gates are asked anew. Where pillar comes from reclass, the model needs a
# node of the name that Salt gives the master here, its id and _master (nodes/cfg01.cloud.local_master.yml: 'parameters: {{orchestration: true}}').
"""


def orchestration(plan: Plan, run: str) -> str:
    """The file's text. Raises UsageError for a plan that goes over nodes in batches: who goes on is decided by what they answer."""
    if plan.in_batches():
        raise UsageError(
            "a stage of the data plane goes over nodes in batches, and the engine decides who goes on: run it with 'upgrader data-plane'"
        )
    steps = {step.id: _state(step, run) for step in plan.steps()}
    title = "; ".join(f"stage {stage.name}: {stage.title}" for stage in plan.stages)
    head = HEAD.format(title=title, cloud=plan.cloud, digest=plan.digest, run=run)
    return head + yaml.safe_dump(steps, sort_keys=False, width=120, allow_unicode=False)


def _state(step: Step, run: str) -> dict[str, Any]:
    """A step that runs in any case requires nothing: it stands behind the others."""
    required = [] if step.always else [{"require": [{"salt": need} for need in step.needs]}] if step.needs else []
    told: list[Any] = [{"name": RUNNER}, {"run": run}, {"step": step.id}, {"call": _call(step)}]
    return {"salt.runner": [*told, *required]}


def _call(step: Step) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if step.unless:
        more["unless"] = _plain(step.unless)
    if step.phase == GATE or step.anew:
        more["anew"] = True
    size = count_of(step.spread.batch, len(step.call.nodes)) if step.spread else 0
    return {**_plain(step.call), **more, **({"batch": size} if size else {})}


def _plain(call: Call) -> dict[str, Any]:
    """As data that YAML writes: lists for tuples."""
    told: dict[str, Any] = {
        "kind": call.kind,
        "function": call.function,
        "nodes": list(call.nodes),
        "timeout": call.timeout,
    }
    return {
        **told,
        **({"args": _lists(call.args)} if call.args else {}),
        **({"only": dict(call.only)} if call.only else {}),
    }


def _lists(value: Any) -> Any:
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value
