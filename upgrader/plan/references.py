"""Arguments that are only known during a run, written into the plan as references so that the plan stays the same for every run.

``{"$run": "id"}`` is the run's id; ``{"$reply": "step-id", "node": 0, "key": "counts"}`` is what an earlier step's node answered;
``{"$hosts": "step-id", "of": {node: host}}`` are the hosts of those nodes that have done well in that step by now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from upgrader.errors import InDoubt
from upgrader.plan.step import Call

RUN_ID: Mapping[str, str] = {"$run": "id"}


def reply_of(step: str, key: str) -> dict[str, str]:
    """A reference to ``key`` of the value that the first node of ``step`` answered."""
    return {"$reply": step, "key": key}


def least_of(step: str, key: str) -> dict[str, str]:
    """A reference to the node of ``step`` that answered the smallest ``key``, for ``Call.only``."""
    return {"$least": step, "key": key}


def hosts_of(step: str, of: Mapping[str, str]) -> dict[str, Any]:
    """A reference to the hosts (``of`` maps nodes to them) of the nodes that did well in ``step``: one that failed is left out."""
    return {"$hosts": step, "of": dict(of)}


def _nobody(step: str) -> Collection[str]:
    raise InDoubt(
        f"a call refers to the nodes that did well in step {step}, and nobody says which: this is a fault of upgrader"
    )


def bind(
    call: Call, run_id: str, answers: Mapping[str, Mapping[str, Any]], well: Callable[[str], Collection[str]] = _nobody
) -> Call:
    """The call with every reference replaced. ``answers`` maps a finished step's id to its answers, node by node.

    ``well`` gives the nodes that did their part of a step so far, whether it is finished or not.
    """
    args = {name: _bound(value, run_id, answers, well) for name, value in call.args.items()}
    nodes = (_least(call, answers),) if call.only else call.nodes
    return replace(call, args=args, nodes=nodes, only=None)


def _least(call: Call, answers: Mapping[str, Mapping[str, Any]]) -> str:
    """The last of the call's nodes with the smallest value.

    So the same answers always choose the same node, and of equals not the first: that is the one to which a proxy sends the
    clients of a cluster.
    """
    assert call.only is not None
    step, key = call.only["$least"], call.only["key"]
    given = answers.get(step, {})
    fitting = [node for node in call.nodes if isinstance(given.get(node), Mapping) and key in given[node]]
    if not fitting:
        raise InDoubt(
            f"step {step} is recorded as done but no node's answer has {key!r} (stamped by hand?); "
            f"start the stage again with --restart so that it is asked anew"
        )
    return min(reversed(fitting), key=lambda node: given[node][key])


def _bound(
    value: Any, run_id: str, answers: Mapping[str, Mapping[str, Any]], well: Callable[[str], Collection[str]]
) -> Any:
    if isinstance(value, Mapping):
        if "$run" in value:
            return run_id
        if "$reply" in value:
            return _earlier(value["$reply"], value["key"], answers)
        if "$hosts" in value:
            did = set(well(value["$hosts"]))
            return [host for node, host in value["of"].items() if node in did]
        return {key: _bound(item, run_id, answers, well) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_bound(item, run_id, answers, well) for item in value]
    return value


def _earlier(step: str, key: str, answers: Mapping[str, Mapping[str, Any]]) -> Any:
    answer = next(iter(answers.get(step, {}).values()), None)
    if not isinstance(answer, Mapping) or key not in answer:
        raise InDoubt(
            f"step {step} is recorded as done but its answer has no {key!r} (stamped by hand?); "
            f"start the stage again with --restart so that it is taken anew"
        )
    return answer[key]
