"""Starting, ending and reading a prober. It is told by its lock whether it lives: the kernel takes that away when it dies."""

import os
import shutil
import signal
import sys
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files, foreign, lock, pipeline, records
from upgrader_node.prober import program, record, summary, targets
from upgrader_node.restore import service_control

Answer = typing.Dict[str, typing.Any]
START_SECONDS, STOP_SECONDS, POLL = 30.0, 15.0, 0.1
FAILED_SECONDS = 2.0
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
        records.write(paths.order, order)
        if os.path.exists(paths.stop):
            os.unlink(paths.stop)
        alive = _await(run, paths, _launch(run, paths), folder)
    said = "{} targets are asked each {:g} s by process {}, for at most {:g} h"
    return {
        "comment": said.format(len(order["targets"]), order["interval"], alive.pid, order["hours"]),
        "changed": True,
    }


def stop(run: str, folder: str = record.FOLDER) -> Answer:
    """End a run's prober; its summary. One that has ended is left so, and one that is about to begin ends at once."""
    paths = record.files_of(run, folder)
    record.read(paths.seen)
    alive = _alive(run, folder)
    files.write(paths.stop, "")
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(run, folder):
        if time.monotonic() > deadline:
            _kill(run, folder)
            break
        time.sleep(POLL)
    return dict(seen(run, folder), changed=bool(alive))


def seen(run: str, folder: str = record.FOLDER) -> Answer:
    """The summary of what a run's prober has seen so far."""
    lines, alive = record.read(record.files_of(run, folder).seen), _alive(run, folder)
    return summary.of(lines, record.now(), alive is not None and _began(lines, alive.pid))


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
    return lock.owner(program.alone(run), folder)


def _runs(order: Answer, paths: record.Files, alive: lock.Owner) -> Answer:
    """It runs already, and watches what is wanted. Raises StepError when it watches something else."""
    held = records.read(paths.order, "stop that prober (upgrader_prober.stop), then run this again")
    if held is None or held["targets"] != order["targets"]:
        what = "the prober of run {} runs since {} with other targets: upgrader_prober.stop, then run this again"
        raise StepError(what.format(order["run"], alive.since))
    return {"comment": "it runs already: process {}, since {}".format(alive.pid, alive.since), "changed": False}


def _launch(run: str, paths: record.Files) -> pipeline.Ended:
    """Under systemd as a unit of its own: what stands in the minion's control group ends with the minion (systemd.kill(5))."""
    command = foreign.argv(sys.executable, program.__name__) + [paths.order]
    if not (service_control.on_systemd() and shutil.which("systemd-run")):
        return pipeline.run([command + ["detach"]], timeout=START_SECONDS)[0]
    unit = "upgrader-prober-" + run
    pipeline.run([["systemctl", "reset-failed", unit + ".service"]], timeout=START_SECONDS)
    described = [
        "systemd-run",
        "--unit=" + unit,
        "--description=What users notice during run {} of upgrader".format(run),
    ]
    return pipeline.run([described + command], timeout=START_SECONDS)[0]


def _await(run: str, paths: record.Files, launched: pipeline.Ended, folder: str) -> lock.Owner:
    """The prober when it has written that it began. A start that failed may have met one that an interrupted call started."""
    deadline = time.monotonic() + (START_SECONDS if launched.code == 0 else FAILED_SECONDS)
    while time.monotonic() < deadline:
        alive = _alive(run, folder)
        if alive and os.path.exists(paths.seen) and _began(record.read(paths.seen), alive.pid):
            return alive
        time.sleep(POLL)
    how = pipeline.describe(launched) if launched.code else "it has not begun within {:.0f} s".format(START_SECONDS)
    what = "the prober of run {0} does not run: {1}; look at 'journalctl -u upgrader-prober-{0}', then run this again"
    raise StepError(what.format(run, how))


def _began(lines: typing.Sequence[record.Line], pid: int) -> bool:
    """Whether the last one that began is this process."""
    return [line.get("pid") for line in lines if line["kind"] == record.BEGUN][-1:] == [pid]


def _kill(run: str, folder: str) -> None:
    """One that does not hear. Its file then has no end, which the summary tells."""
    alive = _alive(run, folder)
    if alive:
        os.kill(alive.pid, signal.SIGKILL)
