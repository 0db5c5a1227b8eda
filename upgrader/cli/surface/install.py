"""``upgrader install-formulas``: our formulas where the site's Salt master serves its own from."""

from __future__ import annotations

from pathlib import Path

import click

from upgrader import __version__
from upgrader.beside.served import BASE, install, roots_with
from upgrader.cli.settings import Settings
from upgrader.content import RECLASS_CLASSES
from upgrader.reclass.place import merged_config


@click.command("install-formulas")
@click.option(
    "--to", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Folder of their own, new or made by an earlier call.",
)  # fmt: skip
@click.pass_obj
def install_formulas(settings: Settings, to: Path) -> None:
    """Put this version's formulas into a folder that the Salt master can serve, and say what file_roots has to hold.

    For a Salt master of 3006 or newer that serves the site's formulas too; nothing of ours shadows a name of theirs. An older
    one gets a Salt of ours beside it: 'upgrader site join'. An unfinished run goes on with the version that started it only.

    \b
    Example:
      upgrader install-formulas --to /srv/salt/upgrader
    """
    to = to.absolute()
    click.echo(f"formulas of version {__version__} {'are now' if install(to, __version__) else 'were already'} in {to}")
    served = _served(settings.salt_config)
    roots = roots_with(to, served)
    if roots == served:
        click.echo("the master's file_roots has that folder")
    else:
        click.echo(
            "\n".join((f"write into {settings.salt_config}.d/upgrader.conf, then restart salt-master:", *_yaml(roots)))
        )
    click.echo(
        "then: salt '*' saltutil.sync_all, and salt-run saltutil.sync_all for the runners (salt-run upgrader.quorum)\n"
        f"classes for the reclass model: {RECLASS_CLASSES} ('upgrader model check' says how)"
    )


def _served(config: Path) -> list[str]:
    """Of the base environment, in their order."""
    roots = merged_config(config).get("file_roots") if config.exists() else None
    base = roots.get("base") if isinstance(roots, dict) else None
    return [str(root) for root in base] if isinstance(base, list) else [BASE]


def _yaml(roots: list[str]) -> list[str]:
    return ["", "    file_roots:", "      base:", *(f"        - {root}" for root in roots), ""]
