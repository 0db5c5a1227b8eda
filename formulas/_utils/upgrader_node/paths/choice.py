"""Which paths are asked: those that are given, those that the run asked before, or those that this node has."""

import ipaddress
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import some
from upgrader_node.paths import control, found, path
from upgrader_node.paths.path import Path

Answer = typing.Dict[str, typing.Any]


def find(beyond: str, instances: typing.Sequence[str]) -> Answer:
    """The paths of this node."""
    paths = _found(beyond, instances)
    count = [one.kind for one in paths]
    said = ", ".join("{} {}".format(count.count(kind), kind) for kind in sorted(set(count)))
    comment = "{} paths: {}".format(len(paths), said) if paths else "no namespace of this node has a path"
    return {"comment": comment, "changed": False, "paths": [one.as_row() for one in paths]}


def given_or_found(paths: typing.Any, beyond: str, instances: typing.Sequence[str]) -> typing.List[Path]:
    """The paths that are given, or those of this node."""
    return path.parsed(paths) if paths else _found(beyond, instances)


def start(
    run: str,
    paths: typing.Any,
    interval_ms: int,
    hours: float,
    beyond: str,
    instances: typing.Sequence[str],
    folder: str = control.FOLDER,
) -> Answer:
    """Start the echoes of a run. What answers nobody is not asked: it would tell nothing of what is lost."""
    records.plain(str(run))
    wanted = path.parsed(paths) if paths else control.ordered(run, folder)
    silent = []  # type: typing.List[str]
    if not wanted:
        known = _found(beyond, instances)
        silent = control.probe(known)["dead"]
        wanted = [one for one in known if one.name not in silent]
    if not wanted:
        comment = "no path of this node answers" + (": {} do not".format(some(silent)) if silent else "")
        return {"comment": comment, "changed": False, "paths": [], "silent": silent}
    answer = control.start(run, wanted, interval_ms, hours, folder)
    if silent:
        answer["comment"] += "; not asked, as they do not answer: " + some(silent)
    return dict(answer, silent=silent)


def _found(beyond: str, instances: typing.Sequence[str]) -> typing.List[Path]:
    if beyond:
        try:
            ipaddress.IPv4Address(beyond)
        except ValueError:
            raise StepError("beyond must be an IPv4 address, not {!r}".format(beyond)) from None
    return found.on_this_node(beyond, [instances] if isinstance(instances, str) else list(instances))
