"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from upgrader.cli.one_of import OneOf

PART = "control-plane"


def output_option(*forms: str) -> Any:
    """``-o``: the form of the result. The first form is the default."""
    return click.option(
        "-o", "--output", type=click.Choice(forms), default=forms[0], show_default=True, help="Form of the result on stdout."
    )  # fmt: skip


OUTPUT = output_option("text", "json")
RESTART = click.option("--restart", is_flag=True, help="Leave an unfinished run of this cloud behind and begin anew.")


def _stages() -> Sequence[str]:
    """Asked of the table of stages when it is wanted; reading how their steps are made takes its time."""
    from upgrader.plan.stages import stage_names

    return stage_names(PART)


def stage_option() -> Any:
    """``--stage`` with the stages that this version has."""
    return click.option("--stage", required=True, type=OneOf(_stages), help="Which stage to run.")


def repair_option() -> Any:
    """``--repair-server-groups``: opt-in, because it writes into nova's request specs."""
    return click.option(
        "--repair-server-groups",
        is_flag=True,
        help="Add the step that gets server-group members without request spec past nova bug 1830747, on the copy.",
    )


def window_options(command: Any) -> Any:
    """What only the stages behind the rehearsal take."""
    for option in reversed(
        (
            click.option(
                "--hard-stop", is_flag=True, help="Pull the plug of a machine that does not go off within two minutes."
            ),
            click.option(
                "--member",
                default="",
                metavar="NODE",
                help="Which database node real-upgrade keeps.  [default: the last]",
            ),
            click.option(
                "--run", metavar="RUN", help="Which real-upgrade rollback or finish is about.  [default: the newest]"
            ),
            click.option(
                "--without", multiple=True, metavar="NODE", help="Database node whose machine is dead, for rollback."
            ),
        )
    ):
        command = option(command)
    return command
