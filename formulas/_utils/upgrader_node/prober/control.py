"""Starting, ending and reading a prober."""

import os
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import lock, records
from upgrader_node.prober import detached, program, record, summary, targets

Answer = typing.Dict[str, typing.Any]
POLL = 0.1
STARTING = lock.Lock("prober", "the start of a prober")
MOST_HOURS = 72


def start(run: str, wanted: typing.Any, interval: float, hours: float, folder: str = record.FOLDER) -> Answer:
    """Start a run's prober, or say that it runs. Returns when it watches. Raises StepError when it does not."""
    order, paths = _order(run, wanted, interval, hours), record.files_of(run, folder)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with lock.exclusively(STARTING, "upgrader_prober.start", run, folder):
        alive = _alive(run, folder)
        if alive:
            return _runs(order, paths, alive)
        alive = detached.start(program.PROBER, run, order, folder)
    said = "{} targets are asked each {:g} s by process {}, for at most {:g} h"
    return {
        "comment": said.format(len(order["targets"]), order["interval"], alive.pid, order["hours"]),
        "changed": True,
    }


def stop(run: str, folder: str = record.FOLDER) -> Answer:
    """End a run's prober; its summary. One that has ended is left so, and one that is about to begin ends at once."""
    record.read(record.files_of(run, folder).seen)
    alive = detached.stop(program.PROBER, run, folder)
    return dict(seen(run, folder), changed=alive)


def seen(run: str, folder: str = record.FOLDER) -> Answer:
    """The summary of what a run's prober has seen so far."""
    lines, alive = record.read(record.files_of(run, folder).seen), _alive(run, folder)
    return summary.of(lines, record.now(), alive is not None and detached.began(lines, alive.pid))


def answering(run: str, patience: float, folder: str = record.FOLDER) -> Answer:
    """When every target answers. Raises StepError with those that do not when ``patience`` seconds are over."""
    deadline = time.monotonic() + patience
    while True:
        states = {name: one["state"] for name, one in seen(run, folder)["targets"].items()}
        silent = ["{} {}".format(name, state) for name, state in sorted(states.items()) if state != targets.ANSWERS]
        if not silent:
            return {"comment": "{} targets answer".format(len(states)), "changed": False}
        if time.monotonic() > deadline:
            what = "after {:.0f} s not every API answers: {}; look at what stands behind that address"
            raise StepError(what.format(patience, ", ".join(silent)))
        time.sleep(POLL)


def _order(run: str, wanted: typing.Any, interval: float, hours: float) -> Answer:
    targets.parsed(wanted)
    if not 0.1 <= interval <= 60:
        raise StepError("interval must be 0.1 to 60 seconds, not {:g}".format(interval))
    if not 0 < hours <= MOST_HOURS:
        raise StepError("hours must be more than 0 and at most {}, not {:g}".format(MOST_HOURS, hours))
    return {"run": records.plain(str(run)), "targets": dict(wanted), "interval": interval, "hours": hours}


def _alive(run: str, folder: str) -> typing.Optional[lock.Owner]:
    return program.PROBER.alive(run, folder)


def _runs(order: Answer, paths: record.Files, alive: lock.Owner) -> Answer:
    """It runs already, and watches what is wanted. Raises StepError when it watches something else."""
    held = records.read(paths.order, "stop that prober (upgrader_prober.stop), then run this again")
    if held is None or held["targets"] != order["targets"]:
        what = "the prober of run {} runs since {} with other targets: upgrader_prober.stop, then run this again"
        raise StepError(what.format(order["run"], alive.since))
    return {"comment": "it runs already: process {}, since {}".format(alive.pid, alive.since), "changed": False}
