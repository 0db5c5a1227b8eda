"""Making, showing, keeping and reading plans. What was shown under a digest is byte for byte what ``apply`` runs."""

from __future__ import annotations

from pathlib import Path

import click

from upgrader.cli.settings import Settings, facts_now, new_run_id, read_pillars, utc_now
from upgrader.cli.surface import hooks
from upgrader.cli.writing import write
from upgrader.cloud.cloud import Cloud, cloud_from_pillar
from upgrader.content import FORMULAS
from upgrader.errors import Refused, UsageError
from upgrader.journal.progress import FINISHED, RunProgress
from upgrader.plan.catalogue import catalogue_of, purposes
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.facts import changes
from upgrader.plan.stages import make_plan
from upgrader.plan.step import Facts, Options, Plan
from upgrader.report import document, orch, runbook, text
from upgrader.report.document import plan_of_document
from upgrader.transport.base import Transport


class Now:
    """The cloud and the facts of this moment: read once, then asked for plans and about plans."""

    def __init__(self, transport: Transport) -> None:
        pillars = read_pillars(transport)
        self.cloud: Cloud = cloud_from_pillar(pillars, transport.master_id())
        self.facts: Facts = facts_now(pillars)
        nodes = {*self.cloud.all_nodes, self.cloud.master}
        self._ground = Ground(transport.kinds, catalogue_of(FORMULAS), nodes, transport.lacks)

    def plan(self, part: str, stage: str, options: Options) -> Plan:
        """A new plan, checked."""
        plan = make_plan(self.cloud, part, stage, self.facts, options)
        check_plan(plan, self._ground)
        return plan

    def require(self, plan: Plan) -> None:
        """Refuse a plan of another cloud, or one that was made from what is no longer so."""
        if plan.cloud != self.cloud.name:
            raise Refused(
                f"the plan is for cloud {plan.cloud}, and this Salt master's is {self.cloud.name}: make a plan here"
            )
        changed = changes(plan.facts, self.facts)
        if changed:
            raise Refused(
                f"since plan {plan.digest[:12]} was made, {'; '.join(changed)}: put it back, or make a new plan with "
                f"'upgrader plan', look at what is different in it, and apply that"
            )
        check_plan(plan, self._ground)


def show(settings: Settings, part: str, stage: str, output: str, options: Options, out: Path | None) -> None:
    """Print the plan and keep it, in the state folder and where ``out`` says; no node is asked anything."""
    show_plan(settings, Now(settings.transport()).plan(part, stage, options), output, out)


def show_plan(settings: Settings, plan: Plan, output: str, out: Path | None) -> None:
    """Print a plan and keep it."""
    told, written = document.plan_document(plan), keep(settings, plan)
    if out is not None:
        write(out, written + "\n", "plan")
    if output == "json":
        click.echo(written)
    elif output == "orch":
        click.echo(orch.orchestration(plan, new_run_id()), nl=False)
    elif output == "yaml":
        click.echo(document.render_yaml(told), nl=False)
    else:
        click.echo(text.plan_text(plan) if out is None else f"plan {plan.digest} is in {out}")


def keep(settings: Settings, plan: Plan) -> str:
    """Keep a plan for 'upgrader apply DIGEST'; its document."""
    written = document.render(document.plan_document(plan))
    settings.shelf.keep(plan.cloud, plan.digest, written)
    return written


def wait_for_approval(settings: Settings, plan: Plan, seconds: int) -> None:
    """Keep the plan and ask for its approval; who decides may be elsewhere. Raises Waiting, which says how to answer."""
    keep(settings, plan)
    hooks.ask(settings, plan, seconds)
    settings.approvals.require(plan, utc_now())


def named(settings: Settings, name: str) -> Plan:
    """The plan in a file, or one that was kept under this digest."""
    path = Path(name)
    if not path.is_file():
        return plan_of_document(settings.shelf.find(name), f"kept plan {name}")
    try:
        return plan_of_document(path.read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"plan {name} cannot be read ({error}); make a new one with 'upgrader plan --out FILE'"
        ) from error


def runbook_of(settings: Settings, part: str, stage: str, options: Options) -> str:
    """The plan of this moment as a runbook, with the durations of the newest run of the stage that finished."""
    return runbook_text(settings, Now(settings.transport()).plan(part, stage, options))


def runbook_text(settings: Settings, plan: Plan) -> str:
    """A plan as a runbook, with the durations of the newest run of its stage that finished."""
    finished = [run for run in settings.archive.history()[0] if _fits(run, plan)]
    steps = finished[-1].steps if finished else {}
    seconds = {name: step.seconds for name, step in steps.items() if step.seconds is not None}
    return runbook.runbook(plan, seconds, finished[-1].run_id if finished else "", purposes(FORMULAS))


def _fits(run: RunProgress, plan: Plan) -> bool:
    one = (run.plan.cloud, run.plan.part, run.stage)
    return run.state == FINISHED and one == (plan.cloud, plan.part, plan.stages[0].name)
