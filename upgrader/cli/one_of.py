"""An option whose values stand in a table, asked of the table whenever they are wanted: a new row is a new value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem


class OneOf(click.ParamType):
    """One of the names that a table has now. Not ``click.Choice``, which would copy them once."""

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
