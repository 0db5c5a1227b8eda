"""``upgrader serve``: the live page in a browser."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from upgrader.cli.settings import Settings, utc_now
from upgrader.errors import UsageError

if TYPE_CHECKING:
    from upgrader.serve.server import Address


@click.command()
@click.option("--listen", default="127.0.0.1:8123", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="A name under which the page may be asked for besides."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the token there; made where there is none.",
)
@click.option("--allow-approve", is_flag=True, help="Let those who look approve and reject plans that wait.")
@click.pass_obj
def serve(
    settings: Settings, listen: str, allow_host: tuple[str, ...], token_file: Path | None, allow_approve: bool
) -> None:
    """Show the runs live in a browser: stages, steps, findings, and the plans that wait for approval.

    For this machine alone, and for those who have the token: it says the address to open. Nobody can change anything there but
    with --allow-approve. Reads the journals, takes no lock. Ctrl-C ends it; no run notices.

    \b
    Example:
      upgrader serve
      upgrader serve --allow-approve
      upgrader serve --listen 127.0.0.1:9000 --token-file /root/upgrader.token
    """
    try:
        from upgrader.serve.keys import keys_in, new_keys
        from upgrader.serve.server import PageServer, address_of, listening
        from upgrader.serve.state import State
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UsageError(
            f"the live page needs {error.name}, which is not installed: './setup.sh serve' in the clone, or pip install 'upgrader[serve]'"
        ) from error
    address = address_of(listen)
    _require_name(address, allow_host)
    keys = keys_in(token_file) if token_file else new_keys()
    server = PageServer(State(settings.state_dir, utc_now, allow_approve), keys, address, allow_host)
    with listening(address) as listener:
        shown = type(address)(address.host, listener.getsockname()[1])
        opened = f"http://{shown}/open" if token_file else f"http://{shown}/open?token={keys.token}"
        click.echo(
            f"open {opened}{f' and give it the token in {token_file}' if token_file else ''}; Ctrl-C ends it", err=True
        )
        try:
            server.run(listener)
        except KeyboardInterrupt:
            click.echo("the page is closed; no run noticed", err=True)


def _require_name(address: Address, allowed: tuple[str, ...]) -> None:
    """Who listens on every address has to say under which names: the address itself is none."""
    try:
        everywhere = ip_address(address.host).is_unspecified
    except ValueError:
        everywhere = False
    if everywhere and not allowed:
        raise UsageError(
            f"--listen {address} is every address of this machine: say with --allow-host under which name it is asked for"
        )
