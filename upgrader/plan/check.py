"""Refuses a plan that cannot be carried out as it stands. Asked of every plan before it is shown, kept or run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from upgrader.errors import UsageError
from upgrader.plan.catalogue import Catalogue
from upgrader.plan.references import RUN_ID
from upgrader.plan.step import WORK, Call, Plan, Step, beside


@dataclass(frozen=True)
class Ground:
    """What a plan stands on: the kinds of call that the transport carries, what the formulas offer, the cloud's nodes; and
    modules that the transport has no use for, with the reason.
    """

    kinds: Collection[str]
    catalogue: Catalogue
    nodes: Collection[str]
    lacks: Mapping[str, str] = field(default_factory=dict)


def check_plan(plan: Plan, ground: Ground) -> None:
    """Raises UsageError with the first fault, the step it is in and what to do."""
    steps = list(plan.steps())
    _order(plan, steps)
    by_id = {step.id: step for step in steps}
    for step in steps:
        for rule in RULES:
            complaint = rule(step, ground, by_id)
            if complaint:
                raise _fault(plan, step.id, complaint)


Rule = Callable[[Step, Ground, Mapping[str, Step]], str]


def _order(plan: Plan, steps: list[Step]) -> None:
    """Ids stand once, and what a step needs comes before it; so there is no circle, either."""
    every, seen = {step.id for step in steps}, set[str]()
    for step in steps:
        if step.id in seen:
            raise _fault(plan, step.id, "its id stands twice: give each step an id of its own")
        unknown = sorted(set(step.needs) - every)
        if unknown:
            raise _fault(plan, step.id, f"it needs {', '.join(unknown)}, which no step is called: correct needs")
        late = sorted(set(step.needs) - seen)
        if late:
            raise _fault(
                plan,
                step.id,
                f"it needs {', '.join(late)}, which does not come before it: put that first, or break the circle",
            )
        seen.add(step.id)
    for lanes in beside(steps):
        for lane, own in lanes.items():
            _demand_apart(plan, own, {step.id for name, other in lanes.items() if name != lane for step in other})


def _demand_apart(plan: Plan, own: list[Step], others: Collection[str]) -> None:
    """What is done at the same time is not known to come before."""
    for step in own:
        met = sorted(set(step.needs) & set(others))
        if met:
            raise _fault(plan, step.id, f"it needs {', '.join(met)} of a lane beside its own: put both into one lane")


def _kinds(step: Step, ground: Ground, steps: Mapping[str, Step]) -> str:
    for where, call in _calls(step):
        if call.kind not in ground.kinds:
            known = ", ".join(sorted(ground.kinds))
            return f"its {where} is of kind {call.kind!r}, which the transport does not carry: it carries {known}"
    return ""


def _carried(step: Step, ground: Ground, steps: Mapping[str, Step]) -> str:
    for where, call in _calls(step):
        reason = ground.lacks.get(call.function.partition(".")[0])
        if reason:
            return (
                f"its {where} is {call.function}, which the transport cannot do: {reason}; take transport master or api"
            )
    return ""


def _nodes(step: Step, ground: Ground, steps: Mapping[str, Step]) -> str:
    for where, call in _calls(step):
        if not call.nodes:
            return f"its {where} names no node: a plan lists whom it expects to answer"
        strange = [node for node in (*call.nodes, *step.about) if node not in ground.nodes]
        if strange:
            return f"its {where} names {', '.join(strange)}, outside the cloud: add it to pillar upgrader:nodes, or plan anew"
    return ""


def _functions(step: Step, ground: Ground, steps: Mapping[str, Step]) -> str:
    for where, call in _calls(step):
        taken = ground.catalogue.functions.get(call.function)
        if taken is None:
            return f"its {where} calls {call.function}, which the formulas do not have: correct the name, or add the function"
        unknown = sorted(set(call.args) - taken)
        if unknown:
            return (
                f"its {where} gives {call.function} {', '.join(unknown)}, which it does not take: correct the arguments"
            )
        missing = sorted(set(_states(call)) - ground.catalogue.states)
        if missing:
            return f"its {where} applies {', '.join(missing)}, which the formulas do not have: correct the name, or add the SLS"
    return ""


def _said(step: Step, ground: Ground, steps: Mapping[str, Step]) -> str:
    if step.retry_safe is None:
        return "nobody says whether it may be run again: say retry_safe"
    if step.phase == WORK and step.undo is None and not step.no_undo:
        return "it changes something and says neither undo nor no_undo: name the call that undoes it, or why none is needed"
    return ""


def _references(step: Step, ground: Ground, steps: Mapping[str, Step]) -> str:
    """What a step refers to must have been answered whenever it runs, so it must be among what it needs."""
    before = _needed(step, steps)
    for where, call in _calls(step):
        for name in _referred(call):
            if name.startswith("$"):
                return f"its {where} holds the reference {name}, which is unknown: known are $run, $reply, $hosts and $least"
            if name not in steps:
                return f"its {where} refers to {name}, which no step is called: correct the reference"
            if name not in before:
                return f"its {where} refers to {name}, which it does not need: add it to needs, so that it has been answered"
    return ""


RULES: tuple[Rule, ...] = (_kinds, _carried, _nodes, _functions, _said, _references)


def _needed(step: Step, steps: Mapping[str, Step]) -> set[str]:
    """Every step that this one needs, directly or through others."""
    found: set[str] = set()
    waiting = list(step.needs)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += steps[name].needs
    return found


def _calls(step: Step) -> Iterator[tuple[str, Call]]:
    yield "call", step.call
    for where in ("check", "unless", "undo", "progress"):
        call = getattr(step, where)
        if call is not None:
            yield where, call


def _states(call: Call) -> list[str]:
    return str(call.args.get("mods", "")).split(",") if call.kind == "state" else []


def _referred(call: Call) -> Iterator[str]:
    """Ids of the steps that a call refers to; the reference itself where nobody knows its kind."""
    yield from _references_in(call.args)
    if call.only is not None:
        yield call.only["$least"] if set(call.only) == {"$least", "key"} else next(iter(call.only), "$")


def _references_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        dollars = [str(key) for key in value if str(key).startswith("$")]
        if dollars == ["$reply"] and "key" in value:
            yield value["$reply"]
        elif dollars == ["$hosts"] and "of" in value:
            yield value["$hosts"]
        elif dollars and value != RUN_ID:
            yield dollars[0]
        for item in value.values():
            yield from _references_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _references_in(item)


def _fault(plan: Plan, step: str, complaint: str) -> UsageError:
    return UsageError(f"plan for {plan.cloud}, step {step}: {complaint}")
