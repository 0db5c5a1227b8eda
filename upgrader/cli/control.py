"""Stages of the control plane: what each of them is given, and what the operator is told before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from upgrader.cli import plans, questions, runs
from upgrader.cli.confirm import confirm
from upgrader.cli.members import kept_by
from upgrader.cli.plans import Now
from upgrader.cli.settings import Settings, modules_digest
from upgrader.errors import Refused, UpgradeError, UsageError
from upgrader.journal.archive import Archive
from upgrader.journal.progress import FINISHED, RunProgress
from upgrader.journal.step_fold import SETTLED
from upgrader.journal.way import to_take_back
from upgrader.plan.blocks.member import HELD
from upgrader.plan.stages import CONTROL_PLANE, stage_row
from upgrader.plan.step import Built, Options, Plan, spent
from upgrader.report.wording import duration
from upgrader.transport.base import Transport

REHEARSAL, REAL, ROLLBACK, FINISH = "test-upgrade", "real-upgrade", "rollback", "finish"
TAKES_RUN = (ROLLBACK, FINISH)
SHOWN = 10
EXPIRES = 7200
"""Seconds for which an approval holds where the stage's row says nothing."""
USED_BY: Mapping[str, tuple[str, ...]] = {
    "repair_server_groups": (REHEARSAL, REAL),
    "hard_stop": (REAL,),
    "member": (REAL,),
    "run": TAKES_RUN,
    "without": (ROLLBACK,),
    "smoke_image": (REAL,),
    "smoke_flavor": (REAL,),
    "smoke_network": (REAL,),
}
"""Which stages an option is for."""


@dataclass(frozen=True)
class Asked:
    """The words of one command: stage, options of the plan, and whether somebody is asked."""

    stage: str
    options: Options
    run: str | None
    restart: bool
    yes: bool
    output: str
    wait: bool = False


def asked(
    stage: str, *, restart: bool = False, yes: bool = False, output: str = "text", wait: bool = False, **words: Any
) -> Asked:
    """The words as click gives them. Raises UsageError for one that the stage has no use for: it was meant for another."""
    for word, stages in USED_BY.items():
        if words.get(word) and stage not in stages:
            raise UsageError(f"--{word.replace('_', '-')} is for {' and '.join(stages)}; {stage} has no use for it")
    smoke = {what: words[f"smoke_{what}"] for what in ("image", "flavor", "network") if words.get(f"smoke_{what}")}
    options = Options(
        words["repair_server_groups"], hard_stop=words["hard_stop"], member=words["member"], without=words["without"],
        smoke=smoke,
    )  # fmt: skip
    return Asked(stage, options, words["run"], restart, yes, output, wait)


def options_of(archive: Archive, words: Asked) -> Options:
    """What the plan is made with, the real upgrade among it that the stage is about."""
    return replace(words.options, built=built_of(archive, words))


def start(settings: Settings, words: Asked) -> None:
    """Plan the stage, say what it means, ask as often as the stage wants, run it."""
    transport = settings.transport()
    options = options_of(settings.archive, words)
    plan = Now(transport).plan(CONTROL_PLANE, words.stage, options)
    if not words.yes:
        for sentence in _told(settings.archive, transport, plan, options):
            click.echo(sentence, err=True)
    if words.wait:
        plans.wait_for_approval(settings, plan, stage_row(CONTROL_PLANE, words.stage).expires or EXPIRES)
    confirm(plan, words.yes)
    runs.execute(settings, transport, plan, words.restart, words.output)


def built_of(archive: Archive, words: Asked) -> Built | None:
    """What the stage works on: for the way back and the last word a run of real-upgrade, the newest that began. None for others."""
    if words.stage not in TAKES_RUN:
        return None
    run = archive.find(words.run) if words.run else _newest(archive)
    if run.stage != REAL:
        raise UsageError(
            f"run {run.run_id} is of {run.stage}, and {words.stage} is about one of {REAL}: name that with --run"
        )
    back = _taken_back(archive, run)
    if back:
        raise Refused(f"run {run.run_id} was taken back by run {back} already: there is nothing left to do")
    if not run.changed():
        raise Refused(f"run {run.run_id} of {REAL} changed nothing: there is nothing to take back and nothing to close")
    if not to_take_back(run):
        raise Refused(
            f"run {run.run_id} of {REAL} stopped before its window, and production was not touched: there is nothing to take back; "
            f"mend what it names, then 'upgrader resume {run.run_id}', or leave it behind with 'upgrader control-plane --stage {REAL} --restart'"
        )
    return _built(run)


def _newest(archive: Archive) -> RunProgress:
    found = [
        run for cloud in archive.clouds() for run in archive.newest_first(cloud) if run.stage == REAL and run.changed()
    ]
    if not found:
        raise UsageError(f"no run of {REAL} has changed anything yet; 'upgrader history' lists the runs")
    return max(found, key=lambda run: run.started_at)


def _taken_back(archive: Archive, real: RunProgress) -> str:
    """The run that took it back to its end, if one did."""
    for run in archive.newest_first(real.plan.cloud):
        if (run.stage, run.state) == (ROLLBACK, FINISHED) and real.run_id in _about(run):
            return run.run_id
    return ""


def _about(run: RunProgress) -> set[str]:
    return {str(step.call.args.get("run")) for step in run.plan.steps() if step.id.startswith("machine-back-")}


def _built(run: RunProgress) -> Built:
    """How far it came. One that stopped while a member was being kept has to be brought behind that first."""
    kept = None
    held = run.steps.get(HELD)
    if held is not None and held.attempts:
        try:
            kept = kept_by(run)
        except Refused:
            raise Refused(
                f"run {run.run_id} stopped while a database member was being kept, and nobody knows whether it is: "
                f"'upgrader resume {run.run_id}' finds out, then again"
            ) from None
    keys = run.steps.get("machine-keys")
    placed = run.steps.get("restore-place")
    settled = bool(placed and placed.state in SETTLED)
    return Built(run.run_id, kept, settled, dict(_receipts(run)), bool(keys and keys.attempts))


def _receipts(run: RunProgress) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step, answers in run.answers().items():
        for value in answers.values() if step.startswith("machine-keep-") else ():
            if isinstance(value, Mapping) and "receipt" in value:
                yield str(value["receipt"]["domain"]), value["receipt"]


def _told(archive: Archive, transport: Transport, plan: Plan, options: Options) -> Iterator[str]:
    if plan.stages[0].name == REAL:
        yield _impact(archive, plan)
    elif plan.stages[0].name == ROLLBACK and options.built is not None:
        yield from _loss(transport, plan, options.built.run)


def _impact(archive: Archive, plan: Plan) -> str:
    """What users will notice and for how long, by the rehearsal's own times: what it did on the copy is done again in the window."""
    rehearsed = archive.last_of(plan.cloud, plan.part, REHEARSAL)
    head = "Nobody can use the APIs while this runs; instances run on, nobody can start new ones."
    if rehearsed is None:
        return head
    window = [step.id for step in plan.steps()]
    window = window[window.index("apis-stop") :] if "apis-stop" in window else []
    same = {
        "services-install": "control-install",
        "services-configure": "control-configure",
        "services-start": "control-start",
    }
    took = {step: state.seconds or 0.0 for step, state in rehearsed.steps.items() if same.get(step, step) in window}
    seconds = spent(rehearsed.plan.steps(), took)
    return f"{head} In the rehearsal the same steps took {duration(seconds)}; the start of the machines comes on top."


def _loss(transport: Transport, plan: Plan, run: str) -> Iterator[str]:
    """What was made and what was deleted since: it goes, and comes back."""
    node = next(step.call.nodes for step in plan.steps() if step.id == "computes-at-source")
    call = questions.question(
        "loss", "ask what was created and deleted since", "upgrader_production.loss", node, run=run
    )
    try:
        replies = questions.asked(transport, (*questions.readiness(node, modules_digest()), call))
    except UpgradeError as error:
        yield f"What was created since run {run}, nobody can say: {error}"
        return
    for reply in replies.values():
        value = reply.value if reply.ok and isinstance(reply.value, Mapping) else None
        if value is None:
            yield f"What was created since run {run}, nobody can say: {reply.error}"
            continue
        yield from _lost_by_kind(value)


def _lost_by_kind(value: Mapping[str, Any]) -> Iterator[str]:
    verbs = (("created", "is lost"), ("deleted", "comes back"))
    lines = [
        _line(kind, what, verb, rows) for what, verb in verbs for kind, rows in (value.get(what) or {}).items() if rows
    ]
    yield "\n".join(lines) if lines else "Nothing was created or deleted since."
    if lines and value.get("file"):
        yield f"All of it is listed in {value['file']} on the backup node."


def _line(kind: str, what: str, verb: str, rows: Any) -> str:
    names = [str(row.get("name") or row.get("id")) if isinstance(row, Mapping) else str(row) for row in rows]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{kind} {what} since, which {verb}: {', '.join(names[:SHOWN])}{more}"
