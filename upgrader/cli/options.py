"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

PART = "control-plane"


class OneOf(click.ParamType):
    """One of the names that a table has now: a new row is a new value. Not ``click.Choice``, which would copy them once."""

    name = "name"

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``[one|two]``, as for a choice. ``ctx`` is given by click 8.2 and later."""
        return f"[{'|'.join(self._names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself, when it is one."""
        choice: str = click.Choice(tuple(self._names())).convert(value, param, ctx)
        return choice

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so."""
        return [CompletionItem(name) for name in self._names() if name.startswith(incomplete)]


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


def _run_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from upgrader.cli.completion import RUN

    return RUN(ctx, param, incomplete)


WINDOW = (
    click.option("--hard-stop", is_flag=True, help="Pull the plug of a machine that does not go off within two minutes."),
    click.option("--member", default="", metavar="NODE", help="Which database node real-upgrade keeps.  [default: the last]"),
    click.option(
        "--run", metavar="RUN", shell_complete=_run_ids,
        help="Which real-upgrade rollback or finish is about.  [default: the newest]",
    ),
    click.option("--without", multiple=True, metavar="NODE", help="Database node whose machine is dead, for rollback."),
    click.option("--smoke-image", default="", metavar="IMAGE", help="Of the server that real-upgrade makes.  [default: the smallest]"),
    click.option("--smoke-flavor", default="", metavar="FLAVOR", help="Its flavor.  [default: the public one with the least memory]"),
    click.option("--smoke-network", default="", metavar="NETWORK", help="Its network.  [default: none]"),
)  # fmt: skip


def window_options(command: Any) -> Any:
    """What only the stages behind the rehearsal take."""
    for option in reversed(WINDOW):
        command = option(command)
    return command
