"""A plan as a runbook: Markdown whose every command can be pasted, for whoever has to do a stage without the tool, or wants to read it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from upgrader.engine.spreading import batches
from upgrader.plan.step import ANEW, BACKUPS, COPY, GATE, LIVE, NODE, VERIFY, Call, Plan, Step, spent
from upgrader.report.account.markdown import plain
from upgrader.report.outcome import FALLBACK, RESUME
from upgrader.report.pasted import RUN, Hole, fill, holes, node_command, salt_command
from upgrader.report.wording import duration

PHASES: Mapping[str, str] = {
    GATE: "A refusal ends the stage here, before anything of the cloud was touched.",
    VERIFY: "Judges what was done.",
}
STATIC = ("--out=json", "--static")
KINDS: Mapping[str, str] = {
    "module": "an answer of every node, without `ERROR`, and without a finding of severity `blocker`",
    "state": "every state of every node with `Result: True`",
}


def runbook(plan: Plan, seconds: Mapping[str, float], measured_by: str, purposes: Mapping[str, str]) -> str:
    """The whole text. ``seconds`` each step took in run ``measured_by`` (empty: none has finished yet); ``purposes`` are of functions."""
    took = _durations(plan, seconds, measured_by)
    wanted = _wanted(plan)
    lines = [*_head(plan, took)]
    for stage in plan.stages:
        for number, step in enumerate(stage.steps, start=1):
            lines += ["", f"## {number}. {plain(step.title)}", "", *_step(plan, step, seconds, purposes, wanted)]
    return "\n".join(lines) + "\n"


def _head(plan: Plan, took: str) -> Iterator[str]:
    stage = plan.stages[0]
    yield f"# Runbook: {plain(plan.part)} {plain(stage.name)} of cloud {plain(plan.cloud)}"
    yield ""
    yield f"{plain(stage.title)}. {plain(plan.source)} to {plain(plan.target)}, plan `{plan.digest}`. {took}"
    yield ""
    yield f"The tool does all of this with `upgrader {plan.part} --stage {stage.name}`, judges every answer and keeps a journal."
    yield "By hand nobody does: read each answer before you go on. Commands are for a POSIX shell of root on the Salt master; those"
    yield "that begin with `salt-call` do the same on the node itself, where the same variables have to be set. All in one shell and one"
    yield "folder, because later commands use variables and files of earlier ones; one whose variable is not set stops and says so."
    yield ""
    yield "First, once: the id under which everything of this run is kept."
    yield ""
    yield from _pasted([f"{RUN.variable}=$(date -u +%Y%m%dT%H%M%SZ)-0000"])


def _durations(plan: Plan, seconds: Mapping[str, float], measured_by: str) -> str:
    if not measured_by:
        return "No run of this stage has finished here yet, so nobody knows how long it takes."
    return f"Took {duration(spent(plan.steps(), seconds))} in run `{measured_by}`; durations below are that run's."


def _step(
    plan: Plan,
    step: Step,
    seconds: Mapping[str, float],
    purposes: Mapping[str, str],
    wanted: Mapping[str, Sequence[Hole]],
) -> Iterator[str]:
    yield from _facts(step, seconds, purposes)
    yield ""
    if step.unless:
        yield from _also("Not needed on nodes that answer this well:", step.unless)
    yield from _pasted(_commands(step, bool(wanted.get(step.id))))
    yield ""
    yield f"On {_whom(step)} itself:"
    yield ""
    yield from _pasted([node_command(step.call)])
    yield ""
    if step.id in wanted:
        yield "Later steps need of the answer:"
        yield ""
        yield from _pasted([fill(hole, _file(step), step.call.nodes) for hole in wanted[step.id]])
        yield ""
    yield f"Expect {KINDS.get(step.call.kind, 'an answer of every node')}."
    yield ""
    if step.progress:
        yield from _also("How far it is, from a second terminal (set the same variables there):", step.progress)
    if step.check:
        yield from _also("Whether it was done, after it was cut off:", step.check)
    yield from _way_back(step)
    yield f"When it fails: {_remedy(plan, step)}"


def _facts(step: Step, seconds: Mapping[str, float], purposes: Mapping[str, str]) -> Iterator[str]:
    impact = PHASES.get(step.phase, "Changes something.")
    purpose = purposes.get(step.call.function, "").replace("``", "")
    yield f"* step `{step.id}`, {step.phase}: {impact}{f' {plain(purpose)}' if purpose else ''}"
    yield f"* nodes: {plain(', '.join(step.call.nodes))}" + (
        ", the one of them that the variable names" if step.call.only else ""
    )
    if step.needs:
        yield f"* after: {', '.join(f'`{need}`' for need in step.needs)}"
    if step.id in seconds:
        yield f"* took {duration(seconds[step.id])}; given up after {duration(step.call.timeout)}"
    else:
        yield f"* given up after {duration(step.call.timeout)}"
    if step.call.once:
        yield "* each node answers once: two answers under one name are two minions with the same id"
    again = (
        "may be run again at any time: it looks at the world first"
        if step.retry_safe
        else "is not to be run twice blindly"
    )
    yield f"* {again}"


def _whom(step: Step) -> str:
    if step.call.only:
        return "that node"
    return "the node" if len(step.call.nodes) == 1 else "each node"


def _commands(step: Step, kept: bool) -> list[str]:
    """One command, or one for each batch. An answer that is needed later goes to a file."""
    if kept:
        return [
            f"{salt_command(step.call, more=STATIC)} > {shlex.quote(_file(step))}",
            f"cat {shlex.quote(_file(step))}",
        ]
    if step.spread is None or step.call.only:
        return [salt_command(step.call)]
    nodes = step.call.nodes
    return [salt_command(step.call, batch) for batch in batches(nodes, step.spread, len(nodes))]


def _wanted(plan: Plan) -> dict[str, list[Hole]]:
    """Step to what others need of its answer."""
    found: dict[str, list[Hole]] = {}
    for step in plan.steps():
        calls = (step.call, step.check, step.unless, step.undo, step.progress)
        for hole in (hole for call in calls if call for hole in holes(call)):
            if hole.step and hole not in found.setdefault(hole.step, []):
                found[hole.step].append(hole)
    return found


def _file(step: Step) -> str:
    return f"{step.id}.json"


def _also(words: str, call: Call) -> Iterator[str]:
    yield from [words, "", *_pasted([salt_command(call)]), ""]


def _way_back(step: Step) -> Iterator[str]:
    if step.undo:
        yield from _also("Way back:", step.undo)
    elif step.no_undo:
        yield from [f"Way back: {plain(step.no_undo)}.", ""]
    elif step.phase == GATE:
        yield from ["Way back: none is needed, nothing was changed.", ""]


def _remedy(plan: Plan, step: Step) -> str:
    """In the tool's words for a run that stopped there, by where the fault is mended."""
    restart = f"`upgrader {plan.part} --stage {plan.stages[0].name} --restart`"
    by_place: Mapping[str, str] = {
        LIVE: f"mend it in the live cloud and ask again; in a run of the tool `{RESUME}`.",
        COPY: f"mend the rows in the live database and begin anew with a new copy; with the tool {restart}.",
        NODE: f"mend it on the node and run it again; in a run of the tool `{RESUME}`.",
        ANEW: f"mend it on the node; what was seen stays seen, so begin anew; with the tool {restart}.",
        BACKUPS: f"{FALLBACK}.",
    }
    stamp = f"`upgrader stamp {step.id} --reason '...'`"
    done = "" if step.phase == GATE else f" Done by hand in the middle of a run of the tool: {stamp}, then `{RESUME}`."
    return by_place.get(step.mends, f"mend it, then `{RESUME}`.") + done


def _pasted(commands: Sequence[str]) -> list[str]:
    return ["```sh", *commands, "```"]
