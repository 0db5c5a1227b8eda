"""Starting, ending and reading the program that asks the paths of a node, and asking them once."""

import os
import select
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import lock, records
from upgrader_node.host.findings import Finding, of_node, some
from upgrader_node.netns.echo import Echo
from upgrader_node.paths import path, program, summary
from upgrader_node.prober import detached, record

Answer = typing.Dict[str, typing.Any]
FOLDER = "/var/lib/upgrader/path"
STARTING = lock.Lock("path", "the start of the echoes")
MOST_HOURS, LEAST_MS, MOST_MS = 24, 10, 1000
ECHOES, PAUSE, SECONDS = 5, 0.05, 2.0
REMEDY = "stop those echoes (upgrader_path.stop), then run this again"


def start(run: str, paths: typing.Sequence[path.Path], interval_ms: int, hours: float, folder: str = FOLDER) -> Answer:
    """Ask these paths from now on, or say that it is done already. Returns when the first echoes are on their way."""
    order = _order(run, paths, interval_ms, hours)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with lock.exclusively(STARTING, "upgrader_path.start", run, folder):
        alive = program.PROGRAM.alive(run, folder)
        if alive:
            return _runs(order, run, alive, folder)
        alive = detached.start(program.PROGRAM, run, order, folder)
    said = "{} paths are asked each {} ms by process {}, for at most {:g} h"
    return {
        "comment": said.format(len(order["paths"]), interval_ms, alive.pid, hours),
        "changed": True,
        "paths": order["paths"],
    }


def ordered(run: str, folder: str = FOLDER) -> typing.List[path.Path]:
    """The paths that this run was told to ask before; none when it was not."""
    held = records.read(record.files_of(run, folder).order, REMEDY)
    return path.parsed(held["paths"]) if held else []


def stop(run: str, folder: str = FOLDER) -> Answer:
    """End them; what was lost. Those that have ended are left so, and those that are about to begin end at once."""
    ordered_once = os.path.exists(record.files_of(run, folder).order)
    stopped = ordered_once and detached.stop(program.PROGRAM, run, folder)
    return dict(seen(run, folder), changed=stopped)


def seen(run: str, folder: str = FOLDER) -> Answer:
    """What was lost so far; of a run that asked nothing here, just that."""
    seen_at, alive = record.files_of(run, folder).seen, program.PROGRAM.alive(run, folder)
    if not (alive or os.path.exists(seen_at)):
        return {"comment": "no path of this node was asked", "changed": False, "classes": {}, "paths": []}
    lines = record.read(seen_at)
    return summary.of(lines, alive is not None and detached.began(lines, alive.pid))


def probe(paths: typing.Sequence[path.Path]) -> Answer:
    """Ask each path a few times, at once; one answer is enough, as the first echo may be spent on finding a neighbour."""
    answered, why = _asked(paths)
    dead = [one for one in paths if not answered[one.name]]
    said = ["{} ({})".format(one.name, why.get(one.name, "no answer")) for one in dead]
    comment = "{} of {} paths answer".format(len(paths) - len(dead), len(paths))
    rows = [dict(one.as_row(), answered=answered[one.name], why=why.get(one.name, "")) for one in paths]
    return {
        "comment": comment + ("; not: " + some(said, 5, "; ") if said else ""),
        "changed": False,
        "asked": ECHOES,
        "dead": [one.name for one in dead],
        "paths": rows,
    }


def answering(run: str, node: str, patience: float, folder: str = FOLDER) -> Answer:
    """Whether every path of a run answers, within ``patience`` seconds; a blocker for each that does not."""
    paths, deadline = ordered(run, folder), time.monotonic() + patience
    if not paths:
        return {"comment": "no path of this node was asked", "changed": False, "dead": [], "findings": []}
    told = probe(paths)
    while told["dead"] and time.monotonic() < deadline:
        told = probe(paths)
    rows = [one for one in told["paths"] if one["name"] in told["dead"]]
    return dict(told, findings=[_dead(node, row) for row in rows])


def _dead(node: str, row: typing.Mapping[str, str]) -> Finding:
    """A path on which nothing comes back, whatever the agents say of themselves."""
    what = "has a dead path: {} ({})".format(row["name"], row["why"] or "no answer")
    remedy = (
        "look at the routes (upgrader_route.judge) and the flows of that way; an agent that is alive proves nothing"
    )
    return of_node(node, what, remedy)


def _asked(paths: typing.Sequence[path.Path]) -> typing.Tuple[typing.Dict[str, int], typing.Dict[str, str]]:
    """How many echoes of each path were answered, and why one could not be sent."""
    heard, why = {one.name: set() for one in paths}, {}  # type: typing.Dict[str, typing.Set[int]], typing.Dict[str, str]
    echoes = {}  # type: typing.Dict[str, Echo]
    first = int.from_bytes(os.urandom(3), "big") << 8
    try:
        for number, one in enumerate(paths):
            try:
                echoes[one.name] = Echo(one.way, first + number)
            except OSError as error:
                why[one.name] = "namespace: {}".format(error.strerror)
        for count in range(ECHOES):
            for name, echo in echoes.items():
                try:
                    echo.send(count)
                except OSError as error:
                    why[name] = error.strerror or str(error)
            _hear(echoes, heard, PAUSE)
        _hear(echoes, heard, SECONDS)
    finally:
        for echo in echoes.values():
            echo.close()
    return {name: len(numbers) for name, numbers in heard.items()}, why


def _hear(echoes: typing.Mapping[str, Echo], heard: typing.Mapping[str, typing.Set[int]], seconds: float) -> None:
    """Listen for so long, or until each echo is answered."""
    deadline, sockets = time.monotonic() + seconds, {echo.receiver: name for name, echo in echoes.items()}
    while sockets and time.monotonic() < deadline and any(len(heard[name]) < ECHOES for name in echoes):
        ready = select.select(list(sockets), [], [], max(0.0, deadline - time.monotonic()))[0]
        for receiver in ready:
            heard[sockets[receiver]].update(number for number, _ in echoes[sockets[receiver]].heard())


def _order(run: str, paths: typing.Sequence[path.Path], interval_ms: int, hours: float) -> Answer:
    if not LEAST_MS <= interval_ms <= MOST_MS:
        raise StepError("interval_ms must be {} to {}, not {}".format(LEAST_MS, MOST_MS, interval_ms))
    if not 0 < hours <= MOST_HOURS:
        raise StepError("hours must be more than 0 and at most {}, not {:g}".format(MOST_HOURS, hours))
    rows = [one.as_row() for one in paths]
    return {"run": records.plain(str(run)), "paths": rows, "interval_ms": interval_ms, "hours": hours}


def _runs(order: Answer, run: str, alive: lock.Owner, folder: str) -> Answer:
    """They are asked already, by the same order. Raises StepError when by another."""
    held = records.read(record.files_of(run, folder).order, REMEDY)
    if held is None or (held["paths"], held["interval_ms"]) != (order["paths"], order["interval_ms"]):
        what = "the echoes of run {} run since {} on other paths: upgrader_path.stop, then run this again"
        raise StepError(what.format(order["run"], alive.since))
    said = "they run already: process {}, since {}".format(alive.pid, alive.since)
    return {"comment": said, "changed": False, "paths": order["paths"]}
