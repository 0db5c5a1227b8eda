"""Arguments that are only known during a run, written into the plan as references so that the plan stays the same for every run.

``{"$run": "id"}`` is the run's id; ``{"$reply": "step-id", "node": 0, "key": "counts"}`` is what an earlier step's node answered;
``{"$hosts": "step-id", "of": {node: host}}`` are the hosts of those nodes that have done well in that step by now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from upgrader_node.orchestrating import references

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
    try:
        args = {name: references.bound(value, run_id, answers, well) for name, value in call.args.items()}
        nodes = (references.least(call.nodes, call.only, answers),) if call.only else call.nodes
    except references.Unknown as error:
        raise InDoubt(
            f"step {error.step} is recorded as done but no node's answer has {error.key!r} (stamped by hand?); "
            f"start the stage again with --restart so that it is asked anew"
        ) from None
    return replace(call, args=args, nodes=nodes, only=None)
