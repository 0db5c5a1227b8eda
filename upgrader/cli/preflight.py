"""``upgrader preflight``: everything that would stop a stage, asked of all nodes at once, without a journal.

The gates of the stage's own plan, what no gate asks, the model, and, when it is asked for, the live rows that only the services' own
code can judge. Nothing is changed but Salt's modules on nodes that have those of another version.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from upgrader.cli.plans import Now
from upgrader.cli.probing import Probe
from upgrader.cli.settings import Settings, modules_digest, new_run_id
from upgrader.cli.writing import write
from upgrader.errors import Refused, UpgradeError
from upgrader.plan.stages import CONTROL_PLANE
from upgrader.plan.step import Options, Plan
from upgrader.preflight import asking, judging, questions
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.place import find_place
from upgrader.reclass.survey import survey
from upgrader.report import document, findings, options
from upgrader.report.live_line import Waiting
from upgrader.transport.base import Transport
from upgrader.transport.reply import Reply

STAGE = "test-upgrade"
"""The stage whose gates are asked where none is named."""
LISTED = 10_000
"""How many rows of each finding the document and the file hold."""
Found = list[Mapping[str, Any]]


@dataclass(frozen=True)
class Heard:
    """What was found, what each controller said of its configuration, what the site's own Salt said, and live rows by kind."""

    found: Found
    controllers: dict[str, Mapping[str, Any]]
    site: Mapping[str, Any] | None
    rows: Mapping[str, int] | None = None
    broken: UpgradeError | None = None


def ask(settings: Settings, output: str, stage: str, wanted: Options, deep: bool = False) -> None:
    """Print what is in the way; Refused for a blocker, with the number of findings.

    ``deep``: the live rows are judged by the services' own code as well; Refused at once where that is not installed.
    """
    transport = settings.transport()
    now = _now(settings, transport, output, stage)
    plan, refused = _plan(now, stage, wanted)
    probe = Probe(transport, now.cloud) if deep else None
    if probe:
        probe.demand_code()
    heard = _nodes(transport, now, plan)
    rows, broken = None, None
    if probe:
        more, rows, broken = probe.ask()
        heard.found.extend(more)
    found = findings.in_order([*refused, *_model(settings, stage), *heard.found])
    whole = Heard(found, heard.controllers, heard.site, rows, broken)
    _tell(settings, plan.cloud, output, stage, whole)
    if broken:
        raise broken
    _judge(plan.cloud, [*found, *(f for answer in heard.controllers.values() for f in answer.get("findings") or [])])


def _now(settings: Settings, transport: Transport, output: str, stage: str) -> Now:
    """The cloud of this moment. Where its pillar does not describe one, nobody can be asked: then what the model lacks is told."""
    try:
        return Now(transport)
    except Refused:
        found = findings.in_order(_model(settings, stage))
        if output == "json":
            told = document.preflight_document("", found, {})
            click.echo(document.render({**told, "stage": stage, "refused": True}))
        elif any(one["severity"] != "info" for one in found):
            click.echo(findings.findings_text(found))
        raise


def _plan(now: Now, stage: str, wanted: Options) -> tuple[Plan, Found]:
    """The stage's plan. Where the model does not say enough for it, that is a finding, and the rehearsal's gates are asked."""
    try:
        return now.plan(CONTROL_PLANE, stage, wanted), []
    except Refused as error:
        if stage == STAGE:
            raise
        said = {"id": "plan", "severity": "blocker", "subject": "model", "what": str(error), "remedy": ""}
        return now.plan(CONTROL_PLANE, STAGE, wanted), [said]


def _model(settings: Settings, stage: str) -> Iterator[Mapping[str, Any]]:
    """What ``model check`` says, one finding each; a pillar that comes from elsewhere than reclass has no model to check."""
    stages = (STAGE,) if stage == STAGE else (STAGE, stage)
    try:
        found = survey(Inventory(find_place(settings.salt_config)), stages).findings
    except UpgradeError as error:
        yield {"id": "model", "severity": "info", "subject": "model", "what": f"not checked: {error}", "remedy": ""}
        return
    # Production's model says the new release by the time of the real upgrade.
    yield from judging.model([one for one in found if one.kind != "release" or stage == STAGE])


def _nodes(transport: Transport, now: Now, plan: Plan) -> Heard:
    """What all nodes say; the silent ones are findings, and the others are asked all the same."""
    cloud = now.cloud
    needed = {node for step in plan.steps() for node in step.call.nodes}
    with closing(Waiting()) as told:
        good, bad = asking.ready(transport, cloud.all_nodes, modules_digest(), told.waits)
        asked = {
            one.id: one
            for one in questions.without(questions.of_stage(cloud, plan, LISTED), set(cloud.all_nodes) - {*good})
        }
        told.asks(len(good), len(asked))
        said = asking.together(transport, {name: one.call for name, one in asked.items()}, told.waits)
    found: Found = list(judging.unanswered(bad, needed))
    for name, answered in said.items():
        if name == questions.HOSTS:
            found += judging.hosts(answered, cloud.master)
        elif name == questions.BACKUPS:
            found += judging.backups(answered, cloud.name, time.time())
        elif name not in (questions.CONFIGURATION, questions.SITE):
            found += judging.answers(asked[name], answered)
        if name == questions.CLUSTER:
            found += judging.cluster(answered)
    controllers = said.get(questions.CONFIGURATION)
    site = _of_site(said[questions.SITE].replies) if questions.SITE in said else None
    if site and "error" in site:
        what = f"the site's own formulas: {site['error']}"
        found.append({"id": questions.SITE, "severity": "blocker", "subject": site["node"], "what": what, "remedy": ""})
    return Heard(
        [*found, *(_unreported(controllers.replies.values()) if controllers else ())],
        {node: _report(reply) for node, reply in controllers.replies.items()} if controllers else {},
        site,
    )


def _unreported(replies: Iterable[Reply]) -> Iterator[Mapping[str, Any]]:
    for reply in replies:
        if "error" in _report(reply):
            what = f"the config report lacks a controller: {_report(reply)['error']}"
            yield {"id": "config-report", "severity": "blocker", "subject": reply.node, "what": what, "remedy": ""}


def _report(reply: Reply) -> Mapping[str, Any]:
    """A controller's report, or ``{"error"}``: one that fails has its sentence, and the others are shown all the same."""
    value = reply.value
    if isinstance(value, Mapping) and all(isinstance(value.get(key), list) for key in ("options", "findings")):
        return value
    return {"error": reply.error or "it answered without a report"}


def _of_site(replies: Mapping[str, Reply]) -> Mapping[str, Any]:
    """What the upgrade node says of the site's own Salt and formulas, or ``{"error"}``."""
    [(node, reply)] = replies.items()
    said = reply.value if isinstance(reply.value, Mapping) else {"error": reply.error or "it answered nothing"}
    return {"node": node, **said}


def _tell(settings: Settings, cloud: str, output: str, stage: str, heard: Heard) -> None:
    if output == "json":
        told = document.preflight_document(cloud, heard.found, heard.controllers, heard.rows, heard.site)
        click.echo(document.render({**told, "stage": stage}))
        return
    path = _rows_written(settings.state_dir / cloud / "preflight", heard.found)
    texts = [
        findings.findings_text(heard.found, path),
        options.options_text(heard.controllers),
        *findings.site_text(heard.site),
    ]
    click.echo("\n\n".join(texts if heard.rows is None else [*texts, findings.probed_text(heard.rows)]))


def _rows_written(folder: Path, found: Found) -> str:
    """Rows and statements that are too many for a paragraph, in a file of their own; its name, or "" where there are none."""
    text = findings.rows_text(found)
    if not text:
        return ""
    path = folder / f"{new_run_id()}.txt"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write(path, text, "list of rows")
    return str(path)


def _judge(cloud: str, found: Found) -> None:
    if any(finding.get("severity") == "blocker" for finding in found):
        raise Refused(f"{findings.counted(found)}: the upgrade of cloud {cloud} must not start before they are mended")
