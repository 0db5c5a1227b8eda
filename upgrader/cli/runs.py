"""The commands that plan, run, resume and read runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import click

from upgrader import __version__
from upgrader.cli.settings import Settings, formulas_digest, new_run_id, operator, read_cloud, utc_now
from upgrader.engine.run import Engine, Outcome
from upgrader.errors import InDoubt, Locked, Refused, StepFailed, UsageError
from upgrader.journal.archive import Archive, refuse_unfinished
from upgrader.journal.journal import Journal
from upgrader.journal.progress import ABANDONED, FINISHED, IN_DOUBT, SETTLED, RunProgress
from upgrader.plan import changes_world, make_plan
from upgrader.plan.step import Options, Plan
from upgrader.report import document, text
from upgrader.report.console import ConsoleObserver
from upgrader.transport.base import Transport


def show_plan(settings: Settings, part: str, stage: str, output: str, options: Options) -> None:
    """Print the plan; no node is asked anything."""
    plan = make_plan(read_cloud(settings.transport()), part, stage, formulas_digest(), options)
    click.echo(document.render(document.plan_document(plan)) if output == "json" else text.plan_text(plan))


def start(settings: Settings, part: str, stage: str, restart: bool, output: str, options: Options) -> None:
    """Plan and run a stage, one run per cloud at a time."""
    transport = settings.transport()
    plan = make_plan(read_cloud(transport), part, stage, formulas_digest(), options)
    archive, who = settings.archive, operator()
    with archive.lock(plan.cloud, who):
        _make_way(archive, transport, plan, restart, who)
        run_id = new_run_id()
        journal = Journal.create(archive.journal_path(plan.cloud, run_id))
        outcome = _carry_out(journal, transport, lambda engine: engine.start(plan, run_id, who, version=__version__))
    _conclude(archive, plan, outcome, output)


def resume(settings: Settings, run_id: str | None, output: str) -> None:
    """Take up a run where its journal ends, with the plan and the Salt modules it was started with."""
    archive, who = settings.archive, operator()
    run = archive.find(run_id)
    if run.state in (FINISHED, ABANDONED):
        raise UsageError(f"{text.run_sentence(run)}; there is nothing to resume")
    _same_formulas(run.plan)
    with archive.lock(run.plan.cloud, who):
        journal = Journal.open(archive.journal_path(run.plan.cloud, run.run_id))
        outcome = _carry_out(journal, settings.transport(), lambda engine: engine.resume(who, version=__version__))
    _conclude(archive, run.plan, outcome, output)


def status(settings: Settings, run_id: str | None, output: str) -> None:
    """Where a run stands, from its journal."""
    archive = settings.archive
    run = archive.find(run_id)
    journal, locked = archive.journal_path(run.plan.cloud, run.run_id), archive.is_locked(run.plan.cloud)
    if output == "json":
        click.echo(document.render(document.run_document(run, str(journal), locked)))
    else:
        click.echo(text.run_text(run, journal, locked))


def history(settings: Settings, output: str) -> None:
    """All runs of all clouds, newest last."""
    runs, unreadable = settings.archive.history()
    for sentence in unreadable:
        click.echo(f"upgrader: {sentence}", err=True)
    click.echo(document.render(document.history_document(runs)) if output == "json" else text.history_text(runs))


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


def _conclude(archive: Archive, plan: Plan, outcome: Outcome, output: str) -> None:
    """The result on stdout, then the exit code by exception."""
    run, journal = archive.find(outcome.run_id), archive.journal_path(plan.cloud, outcome.run_id)
    if output == "json":
        click.echo(document.render(document.run_document(run, str(journal))))
    elif outcome.ok:
        click.echo(f"{text.run_sentence(run)}; journal {journal}")
    if outcome.ok:
        return
    if outcome.refused:
        raise Refused(text.run_sentence(run))
    if any(run.steps[step].state == IN_DOUBT for step in outcome.failed):
        raise InDoubt(text.run_sentence(run))
    raise StepFailed(text.run_sentence(run))


def _make_way(archive: Archive, transport: Transport, plan: Plan, restart: bool, who: str) -> None:
    """What has to be over before a stage begins.

    A stage that changes the world waits for every other one of its kind. A backup, its proof and its place do not: they
    only leave an unfinished attempt at the same thing behind, which nobody will resume.
    """
    stage = plan.stages[0].name
    if not changes_world(plan.part, stage):
        earlier = archive.last_of(plan.cloud, plan.part, stage)
        if earlier is not None:
            _leave_behind(archive, transport, earlier, who, f"a new {plan.part} {stage} was started")
        return
    last = archive.last_change(plan.cloud)
    if restart and last is not None:
        _leave_behind(archive, transport, last, who)
    else:
        refuse_unfinished(last)


def _leave_behind(
    archive: Archive, transport: Transport, last: RunProgress, who: str, reason: str = "left behind with --restart"
) -> None:
    """Give up an unfinished run, but not while a job of it still works on a node: two of them would meet there."""
    if last.state in (FINISHED, ABANDONED):
        return
    for step in last.plan.steps():
        state = last.steps[step.id]
        if state.state == IN_DOUBT and state.jid and transport.is_known(state.jid):
            busy = [node for node, runs in transport.still_running(state.jid, step.call.nodes).items() if runs]
            if busy:
                raise Locked(
                    f"step {step.id} of run {last.run_id} still works on {', '.join(busy)} (job {state.jid}): "
                    f"wait for it, or go on with 'upgrader resume {last.run_id}'"
                )
    Journal.open(archive.journal_path(last.plan.cloud, last.run_id)).append(
        "run-abandoned", utc_now(), operator=who, reason=reason
    )


def _same_formulas(plan: Plan) -> None:
    """A run goes on with the code it was planned for, or not at all."""
    planned = [step.call.args["expected"] for step in plan.steps() if step.id == "modules-current"]
    current = formulas_digest()
    if planned and planned[0] != current:
        raise Refused(
            f"the run was planned for Salt modules {planned[0][:12]} and this version ships {current[:12]}: "
            f"install the version that started the run, or begin anew with --restart"
        )
