"""``upgrader model``: say what the reclass model lacks for the upgrade, and add the includes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from upgrader.cli.settings import Settings, new_run_id
from upgrader.errors import Refused
from upgrader.reclass.finding import Finding, Survey
from upgrader.reclass.inventory import Inventory
from upgrader.reclass.needs import NEEDS
from upgrader.reclass.place import Place, find_place, place_at
from upgrader.reclass.survey import survey, worse
from upgrader.reclass.writing import write
from upgrader.report import document
from upgrader.report import model as report

MANY = 50
INVENTORY = click.option(
    "--inventory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that holds nodes/ and classes/.  [default: where the Salt master's ext_pillar says]",
)
MASTER = click.option(
    "--master",
    metavar="ID",
    help="Minion id of the cloud's Salt master, where the inventory holds several clouds.  [default: this machine's]",
)
STAGE = click.option(
    "--stage",
    type=click.Choice(tuple(dict.fromkeys(need.stage for need in NEEDS))),
    help="Only what this stage needs.  [default: what every stage needs]",
)
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the result on stdout.",
)


@click.group("model")
def model() -> None:
    """Check the reclass model: what the upgrade needs, in which file which class has to be included.

    \b
    Example:
      upgrader model check --stage test-upgrade
    """


@model.command()
@INVENTORY
@MASTER
@STAGE
@OUTPUT
@click.pass_obj
def check(settings: Settings, inventory: Path | None, master: str | None, stage: str | None, output: str) -> None:
    """Say what is missing, per node, and in which file which class or parameter belongs. Changes nothing.

    Exit code 3 when something is missing. Reads files only; no node is asked.

    \b
    Example:
      upgrader model check
      upgrader model check --inventory /srv/salt/reclass --stage test-upgrade
    """
    held = _inventory(_place(settings, inventory, master))
    found = survey(held, (stage,) if stage else None)
    if output == "json":
        click.echo(document.render(report.check_document(held, found)))
    else:
        click.echo(report.check_text(held, found))
    if found.findings:
        remedy = "'upgrader model prepare' adds the includes" if found.edits else "do what the table says"
        raise Refused(f"the model is incomplete: {report.summary(found)}; {remedy}")


@model.command()
@INVENTORY
@MASTER
@STAGE
@click.option("--write", "do_write", is_flag=True, help="Write what the diff shows. Without it nothing is touched.")
@OUTPUT
@click.pass_obj
def prepare(
    settings: Settings, inventory: Path | None, master: str | None, stage: str | None, do_write: bool, output: str
) -> None:
    """Show the includes that the model needs, as a diff; with --write, add them.

    Every other byte of your files stays. Includes for the real upgrade change what Salt does to production: before a
    rehearsal, use --stage test-upgrade. Passwords and addresses are yours to define: what has to be defined by hand is
    listed, and nothing is written as long as a node would lose its pillar without it.

    \b
    Example:
      upgrader model prepare --stage test-upgrade
      upgrader model prepare --stage test-upgrade --write
    """
    place = _place(settings, inventory, master)
    held = _inventory(place)
    found = survey(held, (stage,) if stage else None)
    if found.prefix is None:
        raise Refused("; ".join(f"{one.what}: {one.remedy}" for one in found.findings if one.kind == "unreachable"))
    left = [one for one in found.findings if not _solved(one, found)]
    written = _write(settings, place, found, left) if do_write and found.edits else ""
    if output == "json":
        click.echo(document.render(report.prepare_document(held, found, left, written)))
    else:
        click.echo(report.prepare_text(held, found, left, written))


def _place(settings: Settings, inventory: Path | None, master: str | None) -> Place:
    place = place_at(inventory) if inventory is not None else find_place(settings.salt_config)
    return replace(place, master=master, master_named=True) if master else place


def _inventory(place: Place) -> Inventory:
    """Says so when it may take a while."""
    held = Inventory(place)
    if len(held.nodes) > MANY:
        click.echo(f"rendering {len(held.nodes)} nodes from {place.nodes}", err=True)
    return held


def _solved(finding: Finding, found: Survey) -> bool:
    """Whether the edits do away with it: an include or a file that is among them."""
    text = found.edits.get(Path(finding.file), (None, ""))[1] if finding.file else ""
    return (finding.kind == "class" and finding.name in text) or (finding.kind == "file" and bool(text))


def _write(settings: Settings, place: Place, found: Survey, left: list[Finding]) -> str:
    """Where the originals are. Refused before anything is written when the result would not render."""
    lacking = [one for one in left if one.kind in ("parameter", "render") and _would_break(one, found)]
    if lacking:
        first = ", ".join(one.remedy for one in lacking[:3])
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise Refused(
            f"nothing was written, because nodes would lose their pillar: first {first}{more}; "
            "'upgrader model check' lists each with its file"
        )
    keep = settings.state_dir / "model" / new_run_id()
    write(found.edits, keep, lambda: worse(place, found.unsound_before))
    return str(keep)


def _would_break(finding: Finding, found: Survey) -> bool:
    """A node that does not render today is not made worse; one that does, or that is new, is."""
    return any(node not in found.unsound_before for node in finding.nodes)
