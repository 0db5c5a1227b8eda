"""`upgrader lab ...`: progress goes to stderr, results to stdout, refusals end with exit code 3."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from upgrader.lab.dataplane.provision import provision
from upgrader.lab.demo.figures import figures
from upgrader.lab.demo.master import Master
from upgrader.lab.demo.play import FEW, NAME, Played, bring_up, play
from upgrader.lab.demo.table import document, text
from upgrader.lab.lab import Lab
from upgrader.lab.machine.attach import attach
from upgrader.lab.narrator import Narrator
from upgrader.lab.topology import PROFILES, TOPOLOGIES

WORDS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group()
@click.option("--name", default="lab", show_default=True, help="Which lab: several can run side by side.")
@click.option("--state", type=click.Path(path_type=Path), envvar="UPGRADER_LAB_STATE", help="Where running labs live.")
@click.option("--cache", type=click.Path(path_type=Path), envvar="UPGRADER_LAB_CACHE", help="Where images are kept.")
@click.pass_context
def lab(context: click.Context, name: str, state: Path | None, cache: Path | None) -> None:
    """A real cloud in small, on this machine: Debian nodes with Salt, MariaDB and Ocata's nova.

    \b
    Example:
      upgrader lab up
      upgrader lab run -- status
    """
    context.obj = Lab(name, state, cache, Narrator())


@lab.command()
@click.option("--instances", type=click.IntRange(min=1), help="How many instances the generated cloud has [1000].")
@click.option(
    "--dumps", type=click.Path(path_type=Path), help="A directory with dumps of your own Mitaka databases, all or some."
)
@click.option("--mirror", default="", metavar="URL", help="Debian mirror for building images [this machine's own].")
@click.option("--topology", type=click.Choice(sorted(TOPOLOGIES)), help="Which nodes [nova].")
@click.option(
    "--profile", type=click.Choice(PROFILES), help="Whose states deploy the services: ours, or a site's [builtin]."
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Your own reclass inventory (nodes/ and classes/), prepared for test-upgrade, in place of the lab's model.",
)
@click.option("--master", metavar="ID", help="Minion id of your cloud's Salt master, where --model holds several.")
@click.pass_obj
def up(
    the: Lab,
    instances: int | None,
    dumps: Path | None,
    mirror: str,
    topology: str | None,
    profile: str | None,
    model: Path | None,
    master: str | None,
) -> None:
    """Start the lab, or what of it does not run; build its images first if there are none.

    On a running lab the tool, its formulas and the model are copied again; the databases are left alone. With --model
    your classes are rendered for the lab's nodes, with the lab's addresses, names and passwords laid over them; what that
    replaces is said.

    \b
    Example:
      upgrader lab up --instances 5000
      upgrader lab up --dumps /root/dumps
    """
    if instances and dumps:
        raise click.UsageError("--instances sizes the generated cloud, --dumps replaces it: give one of them.")
    _show(
        the.up(
            instances=instances,
            dumps=dumps,
            topology=topology,
            profile=profile,
            model=model,
            master=master,
            mirror=mirror,
        )
    )


@lab.command()
@click.pass_obj
def down(the: Lab) -> None:
    """Stop the lab and discard its disks: journals, backups and databases in it are gone.

    \b
    Example:
      upgrader lab down
    """
    click.echo(f"The lab {the.name} is down." if the.down() else f"The lab {the.name} was not up.")


@lab.command()
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def status(the: Lab, output: str) -> None:
    """Say which nodes run. Exit code 0 whatever the answer.

    \b
    Example:
      upgrader lab status -o json
    """
    answer = the.status()
    if output == "json":
        click.echo(json.dumps(answer, indent=2))
    else:
        _show(answer)


@lab.command()
@click.option("--mirror", default="", metavar="URL", help="Debian mirror for building images [this machine's own].")
@click.pass_obj
def reset(the: Lab, mirror: str) -> None:
    """Back to the start: stop the lab, discard its disks, start it with the same options.

    \b
    Example:
      upgrader lab reset
    """
    _show(the.reset(mirror))


@lab.command()
@click.option("--mirror", default="", metavar="URL", help="Debian mirror [this machine's own].")
@click.option("--prune", is_flag=True, help="Also remove layers that no recipe leads to any more.")
@click.pass_obj
def build(the: Lab, mirror: str, prune: bool) -> None:
    """Build every image and start nothing.

    \b
    Example:
      upgrader lab build --prune
    """
    answer = the.build(mirror, prune)
    click.echo(f"Built: {', '.join(answer['built']) or 'nothing, all images are in the cache'}.")
    if prune:
        click.echo(f"Removed: {', '.join(answer['removed']) or 'nothing'}.")


@lab.command()
@click.argument("node")
@click.pass_obj
def shell(the: Lab, node: str) -> None:
    """A root shell on a node.

    \b
    Example:
      upgrader lab shell dbs01
    """
    sys.exit(attach(the.node(node), ["bash", "--login"]))


@lab.command(context_settings=WORDS)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(the: Lab, arguments: Sequence[str]) -> None:
    """Run `upgrader ARGUMENTS` where an operator would: on the lab's Salt master.

    Input, output, terminal, interrupts and the exit code are those of the command itself.

    \b
    Example:
      upgrader lab run -- control-plane --stage test-upgrade
    """
    master = the.topology.master
    if master is None:
        raise click.UsageError(f"The lab {the.name} has topology {the.topology.name}, which has no Salt master.")
    sys.exit(attach(the.node(master.name), ["upgrader", *arguments]))


@lab.command("exec", context_settings=WORDS)
@click.argument("node")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(the: Lab, node: str, words: Sequence[str]) -> None:
    """Run a command on a node; output and exit code are those of the command.

    \b
    Example:
      upgrader lab exec dbs01 -- systemctl status mariadb
    """
    sys.exit(attach(the.node(node), list(words)))


@lab.command()
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def workloads(the: Lab, output: str) -> None:
    """Make networks, routers, floating IPs and instances on the computes of topology computes, and say which paths there are.

    The control plane is Ocata's by then: `control-plane --stage real-upgrade` has passed. What is there by its name stays.

    \b
    Example:
      upgrader lab workloads -o json
    """
    made = provision(the, the.narrator)
    if output == "json":
        click.echo(json.dumps(made, indent=2))
        return
    for one in made["instances"]:
        click.echo(
            f"  {one['name']:<8} {one['host']:<8} {one['network']:<8} {one['address']:<16} {one['floating'] or '-'}"
        )


@lab.command()
@click.option(
    "--instances", type=click.IntRange(min=1), help=f"How many instances the cloud has [{FEW}, or as the lab has it]."
)
@click.option("--keep", is_flag=True, help="Leave the lab up; else it is taken down when all went well.")
@click.option("--mirror", default="", metavar="URL", help="Debian mirror for building images [this machine's own].")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def demo(context: click.Context, instances: int | None, keep: bool, mirror: str, output: str) -> None:
    """Show the whole upgrade: rehearsal, real upgrade, rollback, the real upgrade once more, and its last word.

    In a lab of its own, named demo unless --name says another, with topology control. Every stage shows what `lab run` shows, on
    stderr; at the end stdout has the times. A stage that fails ends it with its own exit code, and the lab stays. The same command
    goes on where one was cut; a demonstration that was played to its end is told again.

    \b
    Example:
      upgrader lab demo
      upgrader lab demo --instances 200 --keep -o json
    """
    the = _of_the_demonstration(context)
    bring_up(the, instances, mirror)
    played = play(Master(the.node("cfg01")), the.name, the.narrator)
    _tell(the, played, output)
    if played.well and not keep:
        the.down()
    sys.exit(played.code)


def _of_the_demonstration(context: click.Context) -> Lab:
    """A name that nobody gave is the demonstration's own, not that of the other commands."""
    above = context.parent or context
    the: Lab = context.obj
    given = above.get_parameter_source("name") is not ParameterSource.DEFAULT
    return the if given else Lab(NAME, above.params["state"], above.params["cache"], the.narrator)


def _tell(the: Lab, played: Played, output: str) -> None:
    """The result; when an act did not go well, with what to do next beside what its own command has said."""
    found = [figures(run) for run in played.documents]
    instances = the.options.instances if the.options else 0
    if output == "json":
        click.echo(json.dumps(document(the.name, instances, found, played.code), indent=2))
    else:
        click.echo(text(the.name, instances, found))
    if played.code:
        click.echo(
            f"upgrader: the demonstration stopped with its stage's exit code {played.code}; `upgrader lab --name {the.name} run -- "
            "status` says where it stands, and the same command goes on",
            err=True,
        )


def _show(answer: dict[str, Any]) -> None:
    click.echo(f"Lab {answer['name']}: {answer['state']}")
    for node in answer["nodes"]:
        state = f"pid {node['pid']}" if node["running"] else f"not running, console {node['console']}"
        click.echo(f"  {node['name']:<8} {node['address']:<12} {state}")
