"""Manual pages made from the commands' own help, one for each command. Usage: man_pages.py FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click_man.core import write_man_pages

from upgrader import __version__
from upgrader.cli.lazy import DOORS
from upgrader.cli.main import cli

LEFT_OUT = ("lab",)
"""Not part of an installation."""


def main(folder: Path) -> None:
    """All commands are loaded first: who writes the pages does not ask a group that loads them on demand."""
    ctx = click.Context(cli)
    for name in DOORS:
        command = None if name in LEFT_OUT else cli.get_command(ctx, name)
        if command is not None:
            cli.add_command(command, name)
    write_man_pages("upgrader", cli, version=__version__, target_dir=str(folder))
    for name in LEFT_OUT:
        (folder / f"upgrader-{name}.1").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
