"""What a run that did not succeed says: every step that failed, what was not reached because of which, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from upgrader.journal.progress import STOPPED, RunProgress
from upgrader.journal.step_fold import FAILED, IN_DOUBT, STILL_RUNNING
from upgrader.journal.way import failing, not_reached, to_take_back
from upgrader.plan.step import ANEW, BACKUPS, COPY, GATE, LIVE, Options, Step
from upgrader.plan.ways_back import way_back

RESUME = "upgrader resume"
MOST_TOLD = 5
"""So many steps that stopped are told in one sentence; a run over many batches may have more."""
FALLBACK = (
    f"mend it there, then '{RESUME}'; a dead node that is not the kept member can be left out ('upgrader backup back RUN --without "
    f"NODE --restart'); if the kept member is lost, a proven backup is the way back: 'upgrader backup restore ID --restart' "
    f"('upgrader backup list' names them)"
)


def told(run: RunProgress) -> str:
    """``at step A, which failed: ...; at step B, which is in doubt: ...; 12 steps were not reached``."""
    stopped = failing(run)
    sentences = [_told(run, step) for step in stopped[:MOST_TOLD]]
    if len(stopped) > MOST_TOLD:
        sentences.append(f"and at {len(stopped) - MOST_TOLD} more steps")
    number = len(unreached(run))
    if number:
        sentences.append("1 step was not reached" if number == 1 else f"{number} steps were not reached")
    return "; ".join(sentences)


def _told(run: RunProgress, step: Step) -> str:
    state = run.steps[step.id]
    verb = {IN_DOUBT: "is in doubt", STILL_RUNNING: "still runs"}.get(state.state, "failed")
    return f"at step {step.id}, which {verb}: {state.reason or 'it was cut off'}"


def remedy(run: RunProgress) -> str:
    """What has to be mended, where, and which command comes next. Read from the steps, never from what the nodes said."""
    back = way_back(run.plan.part, run.stage)
    return _forward(run) + (f"; or go back with '{back}'" if back and to_take_back(run) else "")


def _forward(run: RunProgress) -> str:
    stopped = failing(run)
    failed = [step for step in stopped if run.steps[step.id].state == FAILED]
    places = {step.mends for step in failed}
    if COPY in places:
        return _of_copy(run, places - {COPY})
    if ANEW in places:
        return f"mend it {_where(places)}, then '{again(run)}': what this run has seen stays seen"
    if any(step.mends == BACKUPS for step in stopped):
        return _of_gates(run, stopped) + FALLBACK
    return _of_gates(run, stopped) + (f"mend it {_where(places)}, then '{RESUME}'" if failed else _of_doubt(run))


def _where(places: set[str]) -> str:
    if places == {LIVE}:
        return "in the live cloud"
    return "there and in the live cloud" if LIVE in places else "there"


def _of_doubt(run: RunProgress) -> str:
    running = any(run.steps[step.id].state == STILL_RUNNING for step in failing(run))
    return f"'{RESUME}' waits for it" if running else f"'{RESUME}' finds out and goes on"


def _of_gates(run: RunProgress, stopped: Sequence[Step]) -> str:
    """What a refusal means depends on whether anything was done before it."""
    if any(step.phase != GATE for step in stopped):
        return ""
    return "a gate refuses to go on, and what was done before stays; " if run.changed() else "nothing was changed; "


def _of_copy(run: RunProgress, others: set[str]) -> str:
    also = ", and the rest where it failed" if others else ""
    return (
        f"the rows of the copy came with the backup: mend them in the live database{also}, then '{again(run)}', which makes "
        f"a new copy ('{RESUME}' would meet the same rows; it helps only where the fault was the node's)"
    )


def again(run: RunProgress) -> str:
    """The command that leaves this run behind and begins the stage anew. A phase on demand has its option's name."""
    phases = [step.id.partition("-")[2] for step in run.plan.steps()]
    flags = [f" --{phase}" for phase in phases if phase.replace("-", "_") in {field.name for field in fields(Options)}]
    return f"upgrader {run.plan.part} --stage {run.stage}{''.join(flags)} --restart"


def unreached(run: RunProgress) -> dict[str, tuple[str, ...]]:
    """What the run did not reach, with the steps that it comes down to. One that was cut off may reach it yet."""
    return not_reached(run) if run.state == STOPPED else {}


def unreached_lines(steps: Mapping[str, Sequence[str]]) -> list[str]:
    """``not reached because of glance-expand: glance-migrate, verify-glance``, one line for each cause."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for step, causes in steps.items():
        groups.setdefault(tuple(causes), []).append(step)
    return [f"not reached because of {', '.join(causes)}: {', '.join(kept)}" for causes, kept in groups.items()]
