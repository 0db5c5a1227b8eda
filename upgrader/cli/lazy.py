"""Commands that are loaded when they are asked for: `upgrader --help` reads a table, `upgrader status` neither models nor Salt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from upgrader.content import PACKAGE
from upgrader.errors import UsageError

LAB = PACKAGE / "lab"
"""Not there in an installation for production."""


@dataclass(frozen=True)
class Door:
    """Where a command is, and the line that the list of commands has of it: the beginning of the command's own help (a test looks)."""

    module: str
    short: str
    name: str = ""


DOORS: Mapping[str, Door] = {
    "apply": Door("carrying_out", "Run exactly the plan that 'upgrader plan' showed."),
    "approve": Door("carrying_out", "Approve the plan that waits under DIGEST (its first digits are enough)."),
    "backup": Door("backup", "Back the databases up, prove it, and put the whole cluster back to one backup."),
    "completion": Door(
        "completion", "Print the script that completes commands, options, stages, runs and steps in bash, zsh or fish."
    ),
    "config": Door("surface.config", "Show what this command goes by: files of configuration, variables, options."),
    "control-plane": Door("carrying_out", "Run one stage of the control plane's upgrade.", "control_plane"),
    "data-plane": Door(
        "nodes.command",
        "Upgrade computes and gateways: show what would change, a sample, then all others in batches.",
        "data_plane",
    ),
    "history": Door("looking", "List all runs, newest last."),
    "install-formulas": Door(
        "surface.install",
        "Put this version's formulas into a folder that the Salt master can serve, and say what file_roots has to hold.",
        "install_formulas",
    ),
    "lab": Door("", "A real cloud in small, on this machine."),
    "model": Door(
        "model", "Check the reclass model: what the upgrade needs, in which file which class has to be included."
    ),
    "plan": Door("planning", "Show what a stage would do."),
    "preflight": Door(
        "planning",
        "Ask every node what would stop the upgrade, all at once, before anything moves.",
        "preflight_command",
    ),
    "reject": Door("carrying_out", "Reject the plan that waits under DIGEST: it does not run any more."),
    "report": Door("looking", "Tell a whole run on one page: what was done, when, what it took and what came of it."),
    "resume": Door("carrying_out", "Go on with a run that stopped."),
    "runbook": Door(
        "planning", "Print a stage as commands that can be pasted: Markdown, for reading, or for doing it by hand."
    ),
    "serve": Door(
        "surface.serve",
        "Show the runs live in a browser: stages, steps, findings, and the plans that wait for approval.",
    ),
    "site": Door("site", "Put our Salt beside the site's own, of 2016 or 2017, and take it away again."),
    "stamp": Door("carrying_out", "Record that STEP was done by hand, so that resume passes over it."),
    "status": Door("looking", "Say where the newest unfinished run (or RUN) stands."),
    "verify": Door(
        "verify", "Ask a cloud eight questions in one session and compare, by id, with what its source held."
    ),
    "watch": Door("looking", "Follow a run that was started elsewhere, to its end: the one that is at work, or RUN."),
}


class Said(Mapping[str, Any]):
    """What files of configuration say of options. They are read when the first of them is asked for."""

    NAMES = ("salt_config", "state_dir", "transport")

    def _values(self) -> Mapping[str, Any]:
        from upgrader.config.files import read

        return read().values

    def __getitem__(self, key: str) -> Any:
        if key not in self.NAMES:
            raise KeyError(key)
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.NAMES if name in self._values())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class LazyGroup(click.Group):
    """Neither the list of commands nor its completion loads a command."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """What files say stands where neither an option nor a variable does. Help needs none of them."""
        if not {"-h", "--help"}.intersection(args):
            extra.setdefault("default_map", Said())
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        left_out = set() if LAB.is_dir() else {"lab"}
        return sorted({*super().list_commands(ctx), *DOORS} - left_out)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "lab":
            if not LAB.is_dir():
                raise UsageError(
                    "the lab is not part of this installation: take it from a checkout of upgrader's sources"
                )
            from upgrader.lab.cli import lab

            return lab
        door = DOORS.get(cmd_name)
        if door is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"upgrader.cli.{door.module}"), door.name or cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table as it stands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, DOORS[name].short) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, then the group's own options."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=DOORS[name].short) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)
