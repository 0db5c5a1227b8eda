"""What the commands that carry a stage out do: plan, run, resume, stamp."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

import click

from upgrader import __version__
from upgrader.cli.confirm import confirm
from upgrader.cli.nodes.difference import require_same
from upgrader.cli.plans import Now, named
from upgrader.cli.settings import Settings, facts_now, new_run_id, operator, read_pillars, utc_now
from upgrader.cli.surface import hooks
from upgrader.engine.results import Outcome
from upgrader.engine.run import Engine
from upgrader.errors import InDoubt, Locked, Refused, StepFailed, UsageError
from upgrader.journal.approvals import Approval
from upgrader.journal.archive import Archive, refuse_unfinished
from upgrader.journal.carrier import require_carrier
from upgrader.journal.journal import Journal
from upgrader.journal.passed import require_passed
from upgrader.journal.progress import ABANDONED, FINISHED, RunProgress
from upgrader.journal.step_fold import SETTLED
from upgrader.plan.facts import changes
from upgrader.plan.stages import changes_world, stage_row
from upgrader.plan.step import Facts, Options, Plan
from upgrader.report import document, text
from upgrader.report.console import ConsoleObserver
from upgrader.transport.base import Transport


def start(settings: Settings, part: str, stage: str, restart: bool, output: str, options: Options) -> None:
    """Plan a stage and run it."""
    transport = settings.transport()
    plan = Now(transport).plan(part, stage, options)
    confirm(plan, yes=False)
    execute(settings, transport, plan, restart, output)


def apply(settings: Settings, name: str, restart: bool, yes: bool, output: str) -> None:
    """Run exactly the plan that a file or a digest names, while everything is as it was when the plan was made."""
    plan = named(settings, name)
    transport = settings.transport()
    Now(transport).require(plan)
    approval = settings.approvals.require(plan, utc_now())
    if approval is None:
        confirm(plan, yes)
    require_same(transport, plan)
    execute(settings, transport, plan, restart, output, approval)


def execute(
    settings: Settings,
    transport: Transport,
    plan: Plan,
    restart: bool,
    output: str,
    approval: Approval | None = None,
) -> None:
    """Run a plan, one run per cloud at a time."""
    with settings.archive.lock(plan.cloud, operator()):
        outcome = begin(settings, transport, plan, restart, approval)
    _conclude(settings, plan, outcome, output)


def begin(
    settings: Settings, transport: Transport, plan: Plan, restart: bool, approval: Approval | None = None
) -> Outcome:
    """A new run of this plan, from its first step to where it comes. The caller holds the cloud's lock."""
    archive, who, run_id = settings.archive, operator(), new_run_id()
    row = stage_row(plan.part, plan.stages[0].name)
    require_passed(archive, plan, row.fresh, utc_now())
    _make_way(archive, transport, plan, restart, who)
    journal = Journal.create(archive.journal_path(plan.cloud, run_id))
    given: dict[str, Any] = {"approval": asdict(approval)} if approval else {}
    given["carrier"] = transport.carrier
    return _carry_out(journal, transport, lambda engine: engine.start(plan, run_id, who, version=__version__, **given))


def resume(settings: Settings, run_id: str | None, accept_pillar: bool, output: str) -> None:
    """Take up a run where its journal ends, with the plan, the formulas and the pillar that it was started with."""
    archive, who = settings.archive, operator()
    run = archive.find(run_id)
    if run.state in (FINISHED, ABANDONED):
        raise UsageError(f"{text.run_sentence(run)}; there is nothing to resume")
    with archive.lock(run.plan.cloud, who):
        journal = Journal.open(archive.journal_path(run.plan.cloud, run.run_id))
        transport = settings.transport()
        require_carrier(journal, run.run_id, transport.carrier)
        accepted = _same_facts(run, journal, facts_now(read_pillars(transport)), accept_pillar)
        outcome = _carry_out(journal, transport, lambda engine: engine.resume(who, version=__version__, **accepted))
    _conclude(settings, run.plan, outcome, output)


def stamp(settings: Settings, step: str, run_id: str | None, reason: str) -> None:
    """Write into the journal that a step was done by hand."""
    archive, who = settings.archive, operator()
    run = archive.find(run_id)
    if step not in run.steps:
        raise UsageError(f"run {run.run_id} has no step {step!r}; 'upgrader status' lists them")
    with archive.lock(run.plan.cloud, who):
        journal = Journal.open(archive.journal_path(run.plan.cloud, run.run_id))
        if run.steps[step].state in SETTLED:
            raise UsageError(f"step {step} of run {run.run_id} is {run.steps[step].state} already")
        journal.append("step-stamped", utc_now(), step=step, operator=who, reason=reason)
    click.echo(f"step {step} of run {run.run_id} is stamped as done")


def _carry_out(journal: Journal, transport: Transport, go: Callable[[Engine], Outcome]) -> Outcome:
    with closing(ConsoleObserver()) as console:
        return go(Engine(journal, transport, utc_now, [console]))


def _conclude(settings: Settings, plan: Plan, outcome: Outcome, output: str) -> None:
    """The result on stdout and to whoever wants to hear of it, then the exit code by exception."""
    run, journal = settings.archive.find(outcome.run_id), settings.archive.journal_path(plan.cloud, outcome.run_id)
    hooks.tell_run(settings, run, text.run_sentence(run), str(journal))
    if output == "json":
        click.echo(document.render(document.run_document(run, str(journal))))
    elif outcome.ok:
        click.echo(f"{text.run_sentence(run)}; journal {journal}")
    require_success(run, outcome)


def require_success(run: RunProgress, outcome: Outcome) -> None:
    """Where a run did not end well, the exit code by exception."""
    if outcome.ok:
        return
    if outcome.refused:
        raise Refused(text.run_sentence(run))
    if outcome.in_doubt:
        raise InDoubt(text.run_sentence(run))
    raise StepFailed(text.run_sentence(run))


def _make_way(archive: Archive, transport: Transport, plan: Plan, restart: bool, who: str) -> None:
    """What has to be over before a stage begins.

    A stage that changes the world waits for every other one of its kind, but for one that a gate refused: that changed
    nothing. A backup, its proof and its place do not: they only leave an unfinished attempt at the same thing behind, which
    nobody will resume.
    """
    stage = plan.stages[0].name
    if not changes_world(plan.part, stage):
        earlier = archive.last_of(plan.cloud, plan.part, stage)
        if earlier is not None:
            _leave_behind(archive, transport, earlier, who, f"a new {plan.part} {stage} was started")
        return
    last = archive.last_change(plan.cloud, changes_world)
    gives_up = last is not None and last.stage in stage_row(plan.part, stage).gives_up
    nothing = last is not None and not last.changed()
    if last is not None and (restart or gives_up or nothing):
        reason = (
            f"{stage} takes it back" if gives_up else "left behind with --restart" if restart else "it changed nothing"
        )
        _leave_behind(archive, transport, last, who, reason)
    else:
        refuse_unfinished(last)


def _leave_behind(archive: Archive, transport: Transport, last: RunProgress, who: str, reason: str) -> None:
    """Give up an unfinished run, but not while a job of it still works on a node: two of them would meet there."""
    if last.state in (FINISHED, ABANDONED):
        return
    journal = Journal.open(archive.journal_path(last.plan.cloud, last.run_id))
    require_carrier(journal, last.run_id, transport.carrier)
    for step, state in last.steps.items():
        for jid, nodes in state.jobs.items():
            busy = [node for node, runs in transport.still_running(jid, nodes).items() if runs]
            if busy:
                raise Locked(
                    f"step {step} of run {last.run_id} still works on {', '.join(busy)} (job {jid}): "
                    f"wait for it, or go on with 'upgrader resume {last.run_id}'"
                )
    journal.append("run-abandoned", utc_now(), operator=who, reason=reason)


def _same_facts(run: RunProgress, journal: Journal, now: Facts, accept_pillar: bool) -> dict[str, Any]:
    """A run goes on with the code and the model it was planned for, or not at all.

    A changed pillar may be accepted by name: a wrong address is mended in the model. What was accepted is part of the
    journal's line, and the next resume compares with that.
    """
    accepted = [row["pillar"] for row in journal.records if row["event"] == "run-resumed" and row.get("pillar")]
    planned = replace(run.plan.facts, **(accepted[-1] if accepted else {}))
    changed = changes(planned, now)
    if not changed:
        return {}
    pillar: dict[str, Any] = {"pillar": now.pillar, "keys": now.keys}
    if accept_pillar and not changes(replace(planned, **pillar), now):
        return {"pillar": pillar, "accepted": changed}
    only = "" if changes(replace(planned, **pillar), now) else "go on with --accept-pillar if that is meant, "
    raise Refused(
        f"since run {run.run_id} was planned, {'; '.join(changed)}: put it back (or install the version that started the run), "
        f"{only}or begin anew with --restart"
    )
