"""The command line: options, exit codes and nothing else. Errors become one sentence and the documented exit code here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from upgrader import __version__
from upgrader.cli.lazy import LazyGroup
from upgrader.cli.options import OneOf
from upgrader.content import DEFAULT_STATE_DIR
from upgrader.errors import UpgradeError, printable
from upgrader.transport.doors import DOORS


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="upgrader")
@click.option(
    "--salt-config",
    type=click.Path(path_type=Path),
    default=Path("/etc/salt/master"),
    show_default=True,
    envvar="UPGRADER_SALT_CONFIG",
    help="Configuration of the Salt master on this machine.",
)
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=DEFAULT_STATE_DIR,
    show_default=True,
    envvar="UPGRADER_STATE_DIR",
    help="Folder of journals and locks.",
)
@click.option(
    "--transport",
    type=OneOf(lambda: DOORS),
    default="master",
    show_default=True,
    envvar="UPGRADER_TRANSPORT",
    help="How Salt is reached.",
)
@click.pass_context
def cli(ctx: click.Context, salt_config: Path, state_dir: Path, transport: str) -> None:
    """Take an OpenStack Mitaka cloud to Ocata, stage by stage, with a journal and a way back.

    \b
    Exit codes: 0 done, 1 a step failed, 2 usage, 3 a gate or check refused, 4 in doubt or locked,
    5 Salt unreachable, 6 waiting for approval, 130 interrupted (the run can be resumed).

    \b
    Example:
      upgrader preflight
      upgrader control-plane --stage test-upgrade
      upgrader status
    """
    from upgrader.cli.settings import Settings

    ctx.obj = Settings(salt_config, state_dir, transport)


def entry() -> None:
    """What the console script runs. The only place that turns errors into exit codes."""
    try:
        code = cli.main(prog_name="upgrader", standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UpgradeError as error:
        click.echo(printable(f"upgrader: {' '.join(str(error).split())}"), err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        click.echo("upgrader: interrupted", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # noqa: BLE001  the one place where an unexpected error becomes a sentence
        click.echo(
            f"upgrader: internal error ({type(error).__name__}); the details are in {_crash_report()}, please report them",
            err=True,
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _crash_report() -> str:
    """The traceback goes to a file readable by its owner only, never to the terminal."""
    import tempfile
    import traceback

    descriptor, path = tempfile.mkstemp(prefix="upgrader-crash-", suffix=".txt")
    with os.fdopen(descriptor, "w") as file:
        traceback.print_exc(file=file)
    return path
