"""Arguments that are only known during a run, written into the plan as references so that the plan stays the same for every run.

``{"$run": "id"}`` is the run's id; ``{"$reply": "step-id", "node": 0, "key": "counts"}`` is what an earlier step's node answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from upgrader.errors import InDoubt
from upgrader.plan.step import Call

RUN_ID: Mapping[str, str] = {"$run": "id"}


def reply_of(step: str, key: str) -> dict[str, str]:
    """A reference to ``key`` of the value that the first node of ``step`` answered."""
    return {"$reply": step, "key": key}


def bind(call: Call, run_id: str, values: Mapping[str, Any]) -> Call:
    """The call with every reference replaced. ``values`` maps a finished step's id to its first node's answer."""
    return replace(call, args={name: _bound(value, run_id, values) for name, value in call.args.items()})


def _bound(value: Any, run_id: str, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        if "$run" in value:
            return run_id
        if "$reply" in value:
            return _earlier(value["$reply"], value["key"], values)
        return {key: _bound(item, run_id, values) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bound(item, run_id, values) for item in value]
    return value


def _earlier(step: str, key: str, values: Mapping[str, Any]) -> Any:
    answer = values.get(step)
    if not isinstance(answer, Mapping) or key not in answer:
        raise InDoubt(
            f"step {step} is recorded as done but its answer has no {key!r} (stamped by hand?); "
            f"start the stage again with --restart so that it is taken anew"
        )
    return answer[key]
