"""``upgrader site``: our Salt beside an operator's own of 2016 or 2017, put there and taken away through it."""

from __future__ import annotations

from pathlib import Path

import click

from upgrader.beside import joining, master
from upgrader.beside.bundle import read_bundle
from upgrader.beside.nodes import ask_nodes
from upgrader.beside.paths import CONFIG, DELIVERY_PORT
from upgrader.beside.site_salt import SiteSalt
from upgrader.cli.settings import Settings
from upgrader.errors import Refused, StepFailed
from upgrader.journal.archive import UNSETTLED
from upgrader.report import beside as report
from upgrader.report import document

ARCHIVE = click.option(
    "--archive",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Salt 3006 or newer in its onedir form, with PyMySQL in it, as a tar archive.",
)
TARGET = click.option(
    "--target",
    "targets",
    multiple=True,
    default=("*",),
    show_default=True,
    help="Minion ids, as a glob; may be given again.",
)
PROGRAM = click.option(
    "--site-salt",
    type=click.Path(path_type=Path),
    default=Path("/usr/bin/salt"),
    show_default=True,
    envvar="UPGRADER_SITE_SALT",
    help="The site's own command salt.",
)
CONFIGURATION = click.option(
    "--site-config",
    type=click.Path(path_type=Path),
    default=Path("/etc/salt"),
    show_default=True,
    envvar="UPGRADER_SITE_CONFIG",
    help="Folder of the site's master's configuration.",
)
PORT = click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DELIVERY_PORT,
    show_default=True,
    help="From which nodes take the archive.",
)
OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the result on stdout."
)


def _say(text: str) -> None:
    click.echo(f"upgrader: {text}", err=True)


@click.group("site")
def site() -> None:
    """Put our Salt beside the site's own, of 2016 or 2017, and take it away again. No file of the site's is touched.

    \b
    Example:
      upgrader site check --archive /root/salt-3006.9-onedir-linux-x86_64.tar.xz
    """


@site.command()
@ARCHIVE
@TARGET
@PROGRAM
@CONFIGURATION
@PORT
@OUTPUT
def check(archive: Path, targets: tuple[str, ...], site_salt: Path, site_config: Path, port: int, output: str) -> None:
    """Say what the site's Salt is on every node, and what a node or this machine lacks for ours. Changes nothing.

    Exit code 3 when something is lacking.

    \b
    Example:
      upgrader site check --archive /root/salt-3006.9-onedir-linux-x86_64.tar.xz
    """
    the, bundle = SiteSalt(site_salt, site_config), read_bundle(archive)
    facts = ask_nodes(the, the.named(targets), bundle.bytes + bundle.unpacked)
    found = joining.obstacles(facts, port)
    if output == "json":
        click.echo(document.render(report.check_document(facts, found)))
    else:
        click.echo(report.check_text(facts, found))
    if found:
        raise Refused(f"our Salt cannot join: {'; '.join(found)}; nothing was changed")


@site.command()
@ARCHIVE
@TARGET
@PROGRAM
@CONFIGURATION
@PORT
def join(archive: Path, targets: tuple[str, ...], site_salt: Path, site_config: Path, port: int) -> None:
    """Put our Salt master on this machine and our minion on the nodes, through the site's Salt.

    Everything lies in /opt/upgrader, with one unit for each daemon. Run it again after an interruption, for more nodes, or with a
    newer archive.

    \b
    Example:
      upgrader site join --archive /root/salt-3006.9-onedir-linux-x86_64.tar.xz --target 'dbs*'
    """
    the, bundle = SiteSalt(site_salt, site_config), read_bundle(archive)
    facts = ask_nodes(the, the.named(targets), bundle.bytes + bundle.unpacked)
    found = joining.obstacles(facts, port)
    if found:
        raise Refused(f"our Salt cannot join: {'; '.join(found)}; nothing was changed")
    _told(joining.join(the, facts, bundle, port, _say), "our minion answers", "join")
    click.echo(f"From now on: export UPGRADER_SALT_CONFIG={CONFIG}/master")


@site.command()
@TARGET
@PROGRAM
@CONFIGURATION
@click.pass_obj
def leave(settings: Settings, targets: tuple[str, ...], site_salt: Path, site_config: Path) -> None:
    """Take our minion from the nodes, and our master with the last of them. Refused while a run is unfinished.

    Journals (/var/lib/upgrader) and backups (/srv/backup/upgrader) stay where they are, and are named.

    \b
    Example:
      upgrader site leave --target 'dbs*'
      upgrader site leave
    """
    _refuse_unfinished(settings)
    the = SiteSalt(site_salt, site_config)
    _told(joining.leave(the, the.named(targets), _say), "nothing of our Salt is left", "leave")
    if not master.accepted():
        click.echo("Our Salt is gone from this site.")


def _refuse_unfinished(settings: Settings) -> None:
    runs, _ = settings.archive.history()
    for run in runs:
        if run.state in UNSETTLED:
            raise Refused(
                f"run {run.run_id} is not finished and needs our Salt: 'upgrader status' says how to end it; nothing was changed"
            )


def _told(outcome: joining.Outcome, done: str, command: str) -> None:
    click.echo(report.outcome_text(outcome, done))
    if outcome.failed:
        one = next(iter(outcome.failed))
        raise StepFailed(
            f"{len(outcome.failed)} of {len(outcome.failed) + len(outcome.done)} nodes failed, {one} first: "
            f"{outcome.failed[one]}; mend it and run 'upgrader site {command}' again"
        )
