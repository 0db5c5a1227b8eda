"""The plan's vocabulary: pure data that goes to JSON and back without loss. No callables, no clocks, no ids made here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from upgrader.errors import UsageError

PLAN_SCHEMA = 1
KINDS = ("module", "state", "runner", "orchestration")
MINUTE = 60
GATE, WORK, VERIFY = "gate", "work", "verify"


@dataclass(frozen=True)
class Call:
    """What one step asks of Salt, with the nodes it must be answered by. ``timeout`` is in seconds, over all nodes.

    ``only`` is a reference (``binding.least_of``) that narrows ``nodes`` to one of them during the run.
    """

    kind: str
    function: str
    nodes: tuple[str, ...]
    args: Mapping[str, Any] = field(default_factory=dict)
    timeout: int = 120
    batch: int | None = None
    only: Mapping[str, str] | None = None

    def __str__(self) -> str:
        first, *others = str(self.args.get("mods", "")).split(",") if self.kind == "state" else [""]
        return f"{self.function} {first}{f' and {len(others)} more' if others else ''}".strip()


@dataclass(frozen=True)
class Step:
    """One thing that is done, and how to find out later whether it was done.

    ``phase`` says what a failure means: a ``gate`` refuses before anything was touched, ``work`` changes the world,
    ``verify`` judges it. ``retry_safe`` means the call itself looks at the world first, so running it again after a
    crash is right. ``check`` is asked instead when it is not. ``progress`` is asked now and then while the step runs; it
    answers ``{"what", "done", "total"}`` and only informs. ``always`` steps run even after a failure. An ``anew`` step is
    asked again on every resume: what it answered may no longer be so.
    """

    id: str
    title: str
    call: Call
    phase: str = WORK
    check: Call | None = None
    undo: Call | None = None
    progress: Call | None = None
    needs: tuple[str, ...] = ()
    retry_safe: bool = True
    always: bool = False
    anew: bool = False


@dataclass(frozen=True)
class Options:
    """What the operator asks for beyond the stage itself. Each one changes the plan's steps, and so its digest.

    ``receipt`` is the id of the backup that a stage works on; ``another_cluster`` accepts one of another Galera cluster.
    """

    repair_server_groups: bool = False
    receipt: str = ""
    another_cluster: bool = False


@dataclass(frozen=True)
class Stage:
    """A named run of steps between two human decisions."""

    name: str
    title: str
    steps: tuple[Step, ...]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Stages for one cloud. Its digest is taken over its own JSON: what was approved is byte for byte what runs."""

    cloud: str
    source: str
    target: str
    part: str
    stages: tuple[Stage, ...]

    def to_json(self) -> str:
        """Canonical text: sorted keys, no spaces. The digest is taken over exactly these bytes."""
        return json.dumps({"plan_schema": PLAN_SCHEMA, **asdict(self)}, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON, hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def steps(self) -> Iterator[Step]:
        """All steps in the order in which they run."""
        for stage in self.stages:
            yield from stage.steps

    def nodes(self) -> tuple[str, ...]:
        """Every node the plan expects an answer from."""
        return tuple(sorted({node for step in self.steps() for node in step.call.nodes}))


def _call(raw: Mapping[str, Any] | None) -> Call | None:
    return None if raw is None else Call(**{**raw, "nodes": tuple(raw["nodes"])})


def _step(raw: Mapping[str, Any]) -> Step:
    call = _call(raw["call"])
    assert call is not None
    return Step(
        **{
            **raw,
            "call": call,
            **{name: _call(raw[name]) for name in ("check", "undo", "progress")},
            "needs": tuple(raw["needs"]),
        }
    )


def _stage(raw: Mapping[str, Any]) -> Stage:
    return Stage(**{**raw, "steps": tuple(_step(s) for s in raw["steps"]), "requires": tuple(raw["requires"])})


def plan_from_json(text: str) -> Plan:
    """The plan that ``Plan.to_json`` wrote. Raises UsageError when the text is not one of this version."""
    try:
        raw = json.loads(text)
        if raw.pop("plan_schema") != PLAN_SCHEMA:
            raise UsageError(
                f"the plan was written by another version of upgrader; this one reads plan schema {PLAN_SCHEMA}"
            )
        return Plan(**{**raw, "stages": tuple(_stage(s) for s in raw["stages"])})
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise UsageError(
            f"the plan cannot be read ({type(error).__name__}); make a new one with 'upgrader plan'"
        ) from error


def check_plan(plan: Plan) -> None:
    """Refuse a plan that cannot be run: unknown kinds, doubled ids, needs that come later or a call without nodes."""
    seen: set[str] = set()
    for step in plan.steps():
        if step.id in seen:
            raise UsageError(f"plan for {plan.cloud}: step id {step.id} stands twice")
        if step.call.kind not in KINDS:
            raise UsageError(
                f"plan for {plan.cloud}: step {step.id} has kind {step.call.kind!r}; known: {', '.join(KINDS)}"
            )
        if not step.call.nodes:
            raise UsageError(
                f"plan for {plan.cloud}: step {step.id} names no node; the plan must list whom it expects to answer"
            )
        unmet = set(step.needs) - seen
        if unmet:
            raise UsageError(
                f"plan for {plan.cloud}: step {step.id} needs {', '.join(sorted(unmet))}, which does not come before it"
            )
        seen.add(step.id)
