"""Which paths are asked: those that are given, those that the run asked before, or those that this node has."""

import ipaddress
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.host.findings import some
from upgrader_node.paths import control, found, path
from upgrader_node.paths.path import Path

Answer = typing.Dict[str, typing.Any]
# Silent paths that are told by name; all are counted.
NAMED = 20


def find(beyond: str, instances: typing.Sequence[str]) -> Answer:
    """The paths of this node."""
    paths = _found(beyond, instances)[: path.MOST]
    count = [one.kind for one in paths]
    said = ", ".join("{} {}".format(count.count(kind), kind) for kind in sorted(set(count)))
    comment = "{} paths: {}".format(len(paths), said) if paths else "no namespace of this node has a path"
    return {"comment": comment, "changed": False, "paths": [one.as_row() for one in paths]}


def given_or_found(paths: typing.Any, beyond: str, instances: typing.Sequence[str]) -> typing.List[Path]:
    """The paths that are given, or those of this node."""
    return path.parsed(paths) if paths else _found(beyond, instances)[: path.MOST]


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
        wanted, silent = _answering(_found(beyond, instances, found.CANDIDATES))
    named = silent[:NAMED]
    if not wanted:
        comment = "no path of this node answers" + (": {} do not".format(some(silent)) if silent else "")
        return {"comment": comment, "changed": False, "paths": [], "silent": named, "silent_count": len(silent)}
    answer = control.start(run, wanted, interval_ms, hours, folder)
    if silent:
        answer["comment"] += "; not asked, as they do not answer: " + some(silent)
    return dict(answer, silent=named, silent_count=len(silent))


def _answering(candidates: typing.Sequence[Path]) -> typing.Tuple[typing.List[Path], typing.List[str]]:
    """A few of each class that answer, and the names of all that do not: ports that are off, or let no echo in."""
    silent = set()  # type: typing.Set[str]
    for first in range(0, len(candidates), path.MOST):
        silent.update(control.probe(candidates[first : first + path.MOST])["dead"])
    answering = found.few(one for one in candidates if one.name not in silent)
    return answering[: path.MOST], [one.name for one in candidates if one.name in silent]


def _found(beyond: str, instances: typing.Sequence[str], each: int = found.EACH) -> typing.List[Path]:
    if beyond:
        try:
            ipaddress.IPv4Address(beyond)
        except ValueError:
            raise StepError("beyond must be an IPv4 address, not {!r}".format(beyond)) from None
    wanted = [instances] if isinstance(instances, str) else list(instances)
    return found.on_this_node(beyond, wanted, each=each)
