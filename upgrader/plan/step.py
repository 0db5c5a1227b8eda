"""The plan's vocabulary: pure data that goes to JSON and back without loss. No callables, no clocks, no ids made here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any

from upgrader.errors import UsageError
from upgrader.plan.options import Built as Built
from upgrader.plan.options import Kept as Kept
from upgrader.plan.options import Options as Options
from upgrader.plan.options import Rollout as Rollout

PLAN_SCHEMA = 2
READABLE = (1, 2)
"""Schema 1 had no facts: journals that hold such plans can be read, and their runs cannot be gone on with."""
KINDS = ("module", "state", "runner", "orchestration")
MINUTE = 60
GATE, WORK, VERIFY = "gate", "work", "verify"
LIVE, COPY, NODE, ANEW, BACKUPS = "live", "copy", "node", "anew", "backups"
"""Where the fault is mended when a step fails: ``Step.mends``."""


@dataclass(frozen=True)
class Call:
    """What one step asks of Salt, with the nodes it must be answered by. ``timeout`` is in seconds, over all nodes.

    ``only`` is a reference (``references.least_of``) that narrows ``nodes`` to one of them during the run. ``once``: a node
    that answers more than once has failed, because two minions have its id (where the transport can tell).
    """

    kind: str
    function: str
    nodes: tuple[str, ...]
    args: Mapping[str, Any] = field(default_factory=dict)
    timeout: int = 120
    only: Mapping[str, str] | None = None
    once: bool = False

    def __str__(self) -> str:
        first, *others = str(self.args.get("mods", "")).split(",") if self.kind == "state" else [""]
        return f"{self.function} {first}{f' and {len(others)} more' if others else ''}".strip()


@dataclass(frozen=True)
class Spread:
    """How a step goes over many nodes: so many at a time, until so many have failed. Counts, or percents of the step's nodes ("10%").

    ``batch`` 0 is all at once. With ``max_failures`` 0 the first batch in which a node fails is the last one. Each node's
    answer stands for itself: a gate that is spread is asked of the other nodes when one of them is silent.
    """

    batch: int | str = 0
    max_failures: int | str = 0


@dataclass(frozen=True)
class Step:
    """One thing that is done, and how to find out later whether it was done.

    ``phase`` says what a failure means: a ``gate`` refuses before anything was touched, ``work`` changes the world,
    ``verify`` judges it. ``retry_safe`` means the call itself looks at the world first, so running it again after a
    crash is right. ``check`` is asked instead when it is not. ``unless`` is asked first, and a node that answers it well needs
    nothing done. ``progress`` is asked now and then while the step runs; it
    answers ``{"what", "done", "total"}`` and only informs. ``always`` steps run even after a failure. An ``anew`` step is
    asked again on every resume: what it answered may no longer be so. With ``until`` it is so only while that later step was not
    begun yet: from then on the world is meant to be another one.

    ``mends`` says where the fault is when the step fails. ``live``: the live cloud, which is asked again when the run goes
    on. ``copy``: the rows that came with the backup; only a mended source and a new copy help. ``node``: the machine that it
    runs on. ``anew``: that machine too, and what was seen there stays seen, so that only a new run can pass. ``backups``: that
    machine too, and where it cannot be mended a proven backup is the way. Where nothing is said, a gate asks the live cloud
    and everything else runs on a node. ``no_undo`` says why there is no ``undo``, or why none is needed.

    Steps of one ``batch`` (1, 2, ...; 0: of none) are gone through by nodes of which each stands for itself: one that did not
    do well in a step that this one needs is left out, and the others go on. ``always`` steps of a batch are asked of all its
    nodes as soon as what they need was begun, and again when that was done again. ``about`` are the nodes that a call to
    another node, such as a controller, is about.

    Steps that stand behind each other and have each a ``lane`` are done lane beside lane; those of one lane keep their order.
    A lane may be of a group (``group:lane``): the lanes of one group come to their ends before those of the next begin.
    """

    id: str
    title: str
    call: Call
    phase: str = WORK
    check: Call | None = None
    unless: Call | None = None
    undo: Call | None = None
    progress: Call | None = None
    needs: tuple[str, ...] = ()
    retry_safe: bool | None = None
    always: bool = False
    anew: bool = False
    until: str = ""
    no_undo: str = ""
    spread: Spread | None = None
    mends: str = ""
    batch: int = 0
    about: tuple[str, ...] = ()
    lane: str = ""

    def __post_init__(self) -> None:
        if not self.mends:
            object.__setattr__(self, "mends", LIVE if self.phase == GATE else NODE)


@dataclass(frozen=True)
class Facts:
    """What the plan was made from, as digests: a plan runs only while these are so (``facts.changes`` says what is not).

    ``modules`` is of the Salt modules that every node must run, ``formulas`` of every file under formulas/, ``pillar`` of the
    pillar of the cloud's nodes. ``files`` and ``keys`` only serve to name what changed: the beginning of each file's sha256,
    and four digits for each top-level key of each node's pillar, too few to guess a password by.
    """

    modules: str = ""
    formulas: str = ""
    pillar: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A named run of steps between two human decisions.

    ``target`` are the nodes that the operator's words named when the plan was made, where it goes over nodes in batches;
    no batch begins when more than ``max_failures`` of them have failed in those before it.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    requires: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    max_failures: int = 0


@dataclass(frozen=True)
class Plan:
    """Stages for one cloud. Its digest is taken over its own JSON: what was approved is byte for byte what runs."""

    cloud: str
    source: str
    target: str
    part: str
    stages: tuple[Stage, ...]
    facts: Facts = field(default_factory=Facts)

    def to_json(self) -> str:
        """Canonical text: sorted keys, no spaces. The digest is taken over exactly these bytes."""
        return json.dumps(
            {"plan_schema": PLAN_SCHEMA, **_fields(self)}, sort_keys=True, separators=(",", ":"), default=_fields
        )

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

    def in_batches(self) -> tuple[str, ...]:
        """The nodes that go through the plan batch after batch, in that order."""
        return tuple(
            dict.fromkeys(node for step in self.steps() if step.batch for node in step.about or step.call.nodes)
        )


def beside(steps: Iterable[Step]) -> Iterator[dict[str, list[Step]]]:
    """The steps in their order: lanes that are done beside each other, by name; a step without a lane stands alone."""
    for (in_lanes, _), run in groupby(steps, key=lambda step: (bool(step.lane), step.lane.rpartition(":")[0])):
        if not in_lanes:
            yield from ({"": [step]} for step in run)
            continue
        lanes: dict[str, list[Step]] = {}
        for step in run:
            lanes.setdefault(step.lane.rpartition(":")[2], []).append(step)
        yield lanes


def in_lane(lane: str, steps: Iterable[Step]) -> tuple[Step, ...]:
    """The same steps, as one lane."""
    return tuple(replace(step, lane=lane) for step in steps)


def spent(steps: Iterable[Step], seconds: Mapping[str, float]) -> float:
    """How long steps took of which each took so many seconds: of lanes beside each other the longest counts."""
    blocks = ([sum(seconds.get(step.id, 0.0) for step in lane) for lane in lanes.values()] for lanes in beside(steps))
    return sum(max(lanes) for lanes in blocks)


def _fields(part: Any) -> dict[str, Any]:
    """One part of a plan by its fields, not copied. Raises TypeError for what is no part of a plan."""
    held = {one.name: getattr(part, one.name) for one in fields(part)}
    return {name: value for name, value in held.items() if value or name not in OF_BATCHES.get(type(part), ())}


OF_BATCHES: Mapping[type, tuple[str, ...]] = {Step: ("batch", "about", "lane"), Stage: ("target", "max_failures")}
"""Fields that stand in a plan's JSON only where they say something: most steps are of no batch and of no lane."""


def _call(raw: Mapping[str, Any] | None) -> Call | None:
    if raw is None:
        return None
    known = {key: value for key, value in raw.items() if key != "batch"}
    return Call(**{**known, "nodes": tuple(raw["nodes"])})


def _step(raw: Mapping[str, Any]) -> Step:
    call = _call(raw["call"])
    assert call is not None
    return Step(
        **{
            **raw,
            "call": call,
            **{name: _call(raw.get(name)) for name in ("check", "unless", "undo", "progress")},
            **{name: tuple(raw.get(name, ())) for name in ("needs", "about")},
            "spread": Spread(**raw["spread"]) if raw.get("spread") else None,
        }
    )


def _stage(raw: Mapping[str, Any]) -> Stage:
    nodes = {name: tuple(raw.get(name, ())) for name in ("requires", "target")}
    return Stage(**{**raw, "steps": tuple(_step(s) for s in raw["steps"]), **nodes})


def plan_from_json(text: str) -> Plan:
    """The plan that ``Plan.to_json`` wrote. Raises UsageError when the text is not one of this version."""
    try:
        raw = json.loads(text)
        if raw.pop("plan_schema") not in READABLE:
            raise UsageError(
                f"the plan was written by another version of upgrader; this one reads plan schema {PLAN_SCHEMA}"
            )
        return Plan(
            **{**raw, "stages": tuple(_stage(s) for s in raw["stages"]), "facts": Facts(**raw.get("facts", {}))},
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise UsageError(
            f"the plan cannot be read ({type(error).__name__}); make a new one with 'upgrader plan'"
        ) from error
