"""What stands in a step's way, and which steps of a run were not reached because of which. A pure view of plan and journal."""

from __future__ import annotations

from itertools import takewhile

from upgrader.journal import batches
from upgrader.journal.progress import RunProgress
from upgrader.journal.rollouts import begun_nodes
from upgrader.journal.step_fold import DOUBTFUL, FAILED, SETTLED
from upgrader.plan.step import GATE, Step
from upgrader.plan.ways_back import OPENS


def in_the_way(run: RunProgress, step: Step) -> tuple[str, ...]:
    """The steps that must be settled before this one may begin, and are not; empty when it may.

    A failed step is in the way of what needs it and of nothing else. A gate that refuses is in the way of every step behind
    it that is not a gate; ``always`` steps are exempt once work has begun, as there is nothing to bring to an end before.
    """
    if step.phase == GATE:
        return _in_a_gates_way(run, step)
    if step.batch:
        return (*_gates_that_refuse(run, step), *batches.in_the_way(run, step))
    unmet = [need for need in step.needs if run.steps[need].state not in SETTLED]
    return tuple(dict.fromkeys([*unmet, *_gates_that_refuse(run, step)]))


def _gates_that_refuse(run: RunProgress, step: Step) -> list[str]:
    if step.always and run.changed():
        return []
    return [gate for gate in _gates_before(run, step) if run.steps[gate].state not in SETTLED]


def left_out(run: RunProgress, step: Step) -> dict[str, str]:
    """Nodes that a spread gate or a step of a batch is not asked of, each with the step that failed there.

    A node that is silent is not asked again, and one that failed is not carried on.
    """
    if step.batch:
        return batches.left_out(run, step)
    if step.phase != GATE or step.spread is None:
        return {}
    unmet = [need for need in step.needs if run.steps[need].state not in SETTLED]
    return {node: need for need in reversed(unmet) for node in _not_well(run, step, need)}


def _gates_before(run: RunProgress, step: Step) -> list[str]:
    return [other.id for other in takewhile(lambda other: other.id != step.id, run.plan.steps()) if other.phase == GATE]


def _in_a_gates_way(run: RunProgress, step: Step) -> tuple[str, ...]:
    """A gate needs of another gate only what it said of the gate's own nodes. A spread one does without some of them."""
    unmet = [need for need in step.needs if run.steps[need].state not in SETTLED and _not_well(run, step, need)]
    if step.spread is not None and len(left_out(run, step)) < len(step.call.nodes):
        return ()
    return tuple(unmet)


def _not_well(run: RunProgress, step: Step, need: str) -> list[str]:
    """Nodes of the step for which an unsettled gate does not stand; all of them where the gate asks other nodes."""
    needed = run.planned[need]
    if not set(step.call.nodes) <= set(needed.call.nodes):
        return list(step.call.nodes)
    well = run.steps[need].done_nodes()
    return [node for node in step.call.nodes if node not in well]


def failing(run: RunProgress) -> list[Step]:
    """The steps that failed or are in doubt, in the plan's order: the causes of whatever else was not reached."""
    return [step for step in run.plan.steps() if run.steps[step.id].state in (FAILED, *DOUBTFUL)]


def not_reached(run: RunProgress) -> dict[str, tuple[str, ...]]:
    """Each step that was not reached, or not on every node, with the failing steps that it comes down to."""
    causes: dict[str, tuple[str, ...]] = {step.id: (step.id,) for step in failing(run)}
    unreached: dict[str, tuple[str, ...]] = {}
    for step in run.plan.steps():
        if run.steps[step.id].state in SETTLED or step.id in causes:
            continue
        direct = (*in_the_way(run, step), *left_out(run, step).values())
        roots = tuple(dict.fromkeys(root for name in direct for root in causes.get(name, ())))
        if roots:
            causes[step.id] = unreached[step.id] = roots
    return unreached


def to_take_back(run: RunProgress) -> bool:
    """Whether the run began what a way back takes back. A machine that runs on untouched must not be stopped for it."""
    if run.plan.in_batches():
        return bool(begun_nodes(run))
    opens = run.steps.get(OPENS.get((run.plan.part, run.stage), ""))
    return bool(opens.attempts) if opens else run.changed()


def is_anew(run: RunProgress, step: Step) -> bool:
    """Whether a resume asks the step again although it is settled."""
    if step.batch:
        return batches.is_anew(run, step)
    return step.anew and not (step.until and run.steps[step.until].attempts)
