"""What becomes of nodes that go through a plan batch after batch: who is left out of which step, and when no batch begins any more.

A pure view of plan and journal, so that a run that was cut goes on by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader.journal.progress import RunProgress
from upgrader.journal.step_fold import SETTLED
from upgrader.plan.step import Step


def subjects(step: Step) -> tuple[str, ...]:
    """The nodes that a step is about: those that it goes to, or those whose part a controller answers for."""
    return step.about or step.call.nodes


def well(run: RunProgress, identity: str) -> tuple[str, ...]:
    """The nodes that did their part of a step, whether it is finished or not."""
    step, state = run.planned[identity], run.steps[identity]
    if state.state in SETTLED:
        return subjects(step)
    if not step.about:
        done = state.done_nodes()
        return tuple(node for node in step.call.nodes if node in done)
    bad = {name for reply in state.replies.values() for name in _blamed(step, reply)} | set(state.left_out)
    return tuple(node for node in step.about if node not in bad) if state.replies else ()


def _blamed(step: Step, reply: Mapping[str, Any]) -> tuple[str, ...]:
    """The nodes that a controller's answer complains of: those that its findings name (by id or host), else all of them."""
    if reply.get("ok"):
        return ()
    value = reply.get("value")
    found = value.get("findings") if isinstance(value, Mapping) else None
    named = [str(one.get("subject")) for one in found or () if one.get("severity") == "blocker"]
    by_name = {name: node for node in step.about for name in (node, node.split(".", 1)[0])}
    blamed = tuple(by_name[name] for name in named if name in by_name)
    return blamed if named and len(blamed) == len(named) else step.about


def left_out(run: RunProgress, step: Step) -> dict[str, str]:
    """Nodes of its batch that are not carried into a step, each with the step that failed there first.

    What closes a batch leaves out only nodes on which nothing was opened.
    """
    if not step.batch:
        return {}
    if step.always:
        return (
            {} if step.about else {node: need for need in inside(run, step) for node in _never_asked(run, step, need)}
        )
    out: dict[str, str] = {}
    for need in inside(run, step):
        if run.steps[need].state in SETTLED:
            continue
        before, done = left_out(run, run.planned[need]), set(well(run, need))
        for node in set(subjects(run.planned[need])) - done:
            out.setdefault(node, before.get(node, need))
    return {node: out[node] for node in subjects(step) if node in out}


def _never_asked(run: RunProgress, step: Step, need: str) -> set[str]:
    state = run.steps[need]
    return set(step.call.nodes) - {
        *state.replies,
        *state.nodes,
        *(node for nodes in state.jobs.values() for node in nodes),
    }


def inside(run: RunProgress, step: Step) -> list[str]:
    """What a step needs of its own batch."""
    return [need for need in step.needs if run.planned[need].batch == step.batch]


def in_the_way(run: RunProgress, step: Step) -> tuple[str, ...]:
    """Steps that keep one of a batch from beginning: within the batch each node stands for itself, and a budget is the stage's."""
    own = inside(run, step)
    unmet = [need for need in step.needs if need not in own and run.steps[need].state not in SETTLED]
    if step.always:
        return (*unmet, *(need for need in own if not run.steps[need].attempts))
    if len(left_out(run, step)) >= len(subjects(step)):
        unmet += [need for need in own if run.steps[need].state not in SETTLED]
    return (*unmet, *_beyond_budget(run, step))


def _beyond_budget(run: RunProgress, step: Step) -> tuple[str, ...]:
    """Asked where a batch begins: one that has begun goes on to its end."""
    if inside(run, step):
        return ()
    failed = failed_nodes(run, before=step.batch)
    stage = next(one for one in run.plan.stages if step in one.steps)
    return tuple(dict.fromkeys(failed.values())) if len(failed) > stage.max_failures else ()


def failed_nodes(run: RunProgress, before: int | None = None) -> dict[str, str]:
    """Each node that did not do well in a step that was begun (of a batch before this one), with the first such step.

    A node of which nobody knows, or that works on, has failed as far as the budget goes.
    """
    failed: dict[str, str] = {}
    for step in run.plan.steps():
        state = run.steps[step.id]
        if not step.batch or not state.attempts or state.state in SETTLED or (before and step.batch >= before):
            continue
        others = {*left_out(run, step), *well(run, step.id)}
        for node in subjects(step):
            if node not in others:
                failed.setdefault(node, step.id)
    return failed


def is_anew(run: RunProgress, step: Step) -> bool:
    """Whether a resume does a settled step of a batch again.

    What is closed at the end of a batch (``always``) was opened again, or the batch has something to do for which a step
    at its beginning has to be done again (``anew``): a compute that was enabled meanwhile is taken out of service again.
    """
    if step.always:
        return any(run.steps[need].attempts > run.steps[step.id].attempts for need in inside(run, step))
    return step.anew and any(
        run.steps[other.id].state not in SETTLED
        for other in run.plan.steps()
        if other.batch == step.batch and not other.always
    )
