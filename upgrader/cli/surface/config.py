"""``upgrader config``: what this command goes by, and who said so."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click
from click.core import ParameterSource

from upgrader.cli.options import OUTPUT
from upgrader.cli.settings import Settings
from upgrader.config.files import places
from upgrader.config.keys import KEYS
from upgrader.report import document


@click.group()
def config() -> None:
    """Show what this command goes by: files of configuration, variables, options.

    \b
    Example:
      upgrader config show
    """


@config.command()
@OUTPUT
@click.pass_context
def show(ctx: click.Context, output: str) -> None:
    """Say each value and where it comes from: the later of /etc/upgrader.yaml, ~/.config/upgrader.yaml, UPGRADER_* and options.

    \b
    Example:
      upgrader config show
      upgrader config show -o json
    """
    rows = [_row(ctx.find_root(), ctx.obj, key) for key in KEYS]
    if output == "json":
        click.echo(document.render({"files": [str(path) for path in places()], "values": rows}))
        return
    for row in rows:
        click.echo(f"{row['key']}: {_shown(row['value'])}\n    {KEYS[row['key']].meaning}; {row['from']}")


def _row(root: click.Context, settings: Settings, key: str) -> dict[str, Any]:
    if key == "hooks":
        hooks = [
            {"events": list(one.events), "tells": one.command[0] if one.command else "a webhook"}
            for one in settings.config.hooks
        ]
        return {"key": key, "value": hooks, "from": _of_file(settings, key, "no file names any")}
    if key not in root.params:
        said = settings.config.values.get(key)
        return {"key": key, "value": said and _fields(said), "from": _of_file(settings, key, "no file says it")}
    value, source = root.params[key], root.get_parameter_source(key)
    named: dict[ParameterSource | None, str] = {
        ParameterSource.COMMANDLINE: f"from --{key.replace('_', '-')}",
        ParameterSource.ENVIRONMENT: f"from {KEYS[key].variable}",
        ParameterSource.DEFAULT_MAP: _of_file(settings, key, ""),
    }
    return {"key": key, "value": str(value), "from": named.get(source) or "the default"}


def _fields(said: Any) -> dict[str, str]:
    """What a mapping says: names, addresses and paths. Secrets stand in files of their own."""
    return {field.name: str(getattr(said, field.name)) for field in fields(said) if getattr(said, field.name)}


def _of_file(settings: Settings, key: str, otherwise: str) -> str:
    origin = settings.config.origins.get(key)
    return f"from {origin}" if origin else otherwise


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(f"{one['tells']} on {', '.join(one['events'])}" for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {said}" for name, said in value.items())
    return "nothing" if value is None else str(value)
