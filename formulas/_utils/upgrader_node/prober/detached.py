"""A small program of its own on a node: started, found by its lock, ended. It outlives the minion's job, and the minion.

The program reads its order from a file, writes what it sees to another, and ends when a third appears, at its deadline, or by
SIGTERM. It is told by its lock whether it lives: the kernel takes that away when it dies.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files, foreign, lock, pipeline, records
from upgrader_node.prober import record
from upgrader_node.restore import service_control

Answer = typing.Dict[str, typing.Any]
Watch = typing.Callable[[typing.Mapping[str, typing.Any], record.Files, threading.Event], typing.Any]
START_SECONDS, STOP_SECONDS, POLL = 30.0, 15.0, 0.1
FAILED_SECONDS = 2.0


class Program(typing.NamedTuple):
    """A program: the name that its lock and its unit begin with, its module, what its unit is described as, and who starts it."""

    name: str
    module: str
    described: str
    function: str

    def alone(self, run: str) -> lock.Lock:
        """The lock, in the program's own folder, that it holds as long as it lives."""
        return lock.Lock("{}-{}".format(self.name, run), "the {} of run {}".format(self.name, run))

    def alive(self, run: str, folder: str) -> typing.Optional[lock.Owner]:
        """Its process, when it lives."""
        return lock.owner(self.alone(run), folder)


def start(program: Program, run: str, order: Answer, folder: str) -> lock.Owner:
    """Write the order and start the program. Returns when it has written that it began. Raises StepError when it does not."""
    paths = record.files_of(run, folder)
    records.write(paths.order, order)
    if os.path.exists(paths.stop):
        os.unlink(paths.stop)
    return _await(program, run, folder, launch(program, run, paths))


def stop(program: Program, run: str, folder: str) -> bool:
    """End it; whether it lived. One that has ended is left so, and one that is about to begin ends at once."""
    alive = program.alive(run, folder)
    files.write(record.files_of(run, folder).stop, "")
    deadline = time.monotonic() + STOP_SECONDS
    while program.alive(run, folder):
        if time.monotonic() > deadline:
            _kill(program, run, folder)
            break
        time.sleep(POLL)
    return bool(alive)


def launch(program: Program, run: str, paths: record.Files) -> pipeline.Ended:
    """Under systemd as a unit of its own: what stands in the minion's control group ends with the minion (systemd.kill(5))."""
    command = foreign.argv(sys.executable, program.module) + [paths.order]
    if not (service_control.on_systemd() and shutil.which("systemd-run")):
        return pipeline.run([command + ["detach"]], timeout=START_SECONDS)[0]
    unit = "upgrader-{}-{}".format(program.name, run)
    pipeline.run([["systemctl", "reset-failed", unit + ".service"]], timeout=START_SECONDS)
    described = ["systemd-run", "--unit=" + unit, "--description=" + program.described.format(run)]
    return pipeline.run([described + command], timeout=START_SECONDS)[0]


def _await(program: Program, run: str, folder: str, launched: pipeline.Ended) -> lock.Owner:
    """The program when it has written that it began. A start that failed may have met one that an interrupted call started."""
    deadline = time.monotonic() + (START_SECONDS if launched.code == 0 else FAILED_SECONDS)
    seen = record.files_of(run, folder).seen
    while time.monotonic() < deadline:
        alive = program.alive(run, folder)
        if alive and os.path.exists(seen) and began(record.read(seen), alive.pid):
            return alive
        time.sleep(POLL)
    how = pipeline.describe(launched) if launched.code else "it has not begun within {:.0f} s".format(START_SECONDS)
    what = "the {0} of run {1} does not run: {2}; look at 'journalctl -u upgrader-{0}-{1}', then run this again"
    raise StepError(what.format(program.name, run, how))


def began(lines: typing.Sequence[record.Line], pid: int) -> bool:
    """Whether the last one that began is this process."""
    return [line.get("pid") for line in lines if line["kind"] == record.BEGUN][-1:] == [pid]


def _kill(program: Program, run: str, folder: str) -> None:
    """One that does not hear. Its file then has no end, which the summary tells."""
    alive = program.alive(run, folder)
    if alive:
        os.kill(alive.pid, signal.SIGKILL)


def main(program: Program, watch: Watch) -> None:
    """The program's own side: read the order (``program.py ORDER [detach]``), leave the caller where that was asked, and watch."""
    path, detach = sys.argv[1], sys.argv[2:] == ["detach"]
    with open(path, encoding="utf-8") as opened:
        order = json.load(opened)
    if detach:
        _leave()
    over, folder = threading.Event(), os.path.dirname(path)
    signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    with lock.exclusively(program.alone(order["run"]), program.function, order["run"], folder):
        watch(order, record.files_of(order["run"], folder), over)


def _leave() -> None:
    """A session of its own, and nobody's child."""
    if os.fork():
        os._exit(0)
    os.setsid()
