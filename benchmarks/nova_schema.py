"""Nova's ten steps on the same generated source: as the runbook types them, and as this project runs them.

Runs on the lab's bench node: ``upgrader lab --name bench3 up --topology bench``, then
``upgrader lab --name bench3 exec bench01 -- env PYTHONPATH=/src /opt/salt/bin/python -m benchmarks.nova_schema 1000 10000``.

Above ``--plain-up-to`` instances the plain side is not run to its end: three long parts of it are timed for ``--sample``
seconds each, what they did is counted in the database, and the rest is multiplied out. The other eight commands are the
same on both sides and their times are taken from the fast run. Such a figure is marked with ~.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "formulas" / "_utils"))

from tests.functional.bench import API, MAIN, VENV, Bench  # noqa: E402
from tests.support import large_cloud  # noqa: E402
from tests.support.rehearsal import contents_of  # noqa: E402

SAME = [name for name in large_cloud.STEPS if name not in ("online_data_migrations", "map_instances")]


@dataclass
class Run:
    """Seconds by step of one side at one size."""

    seconds: dict[str, float]
    extrapolated: bool
    peak_mb: int

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def shown(self) -> str:
        return f"{'~' if self.extrapolated else ''}{self.total:.0f}"


def fast(bench: Bench) -> Run:
    with large_cloud.Memory() as memory:
        found = large_cloud.timed(large_cloud.fast_steps(bench))
    for name, seconds, answer in found:
        print(f"  fast  {seconds:7.1f} s  {name}: {answer['comment']}", flush=True)
    return Run({name: seconds for name, seconds, _ in found}, False, memory.peak)


def plain(bench: Bench) -> Run:
    with large_cloud.Memory() as memory:
        found = large_cloud.timed(large_cloud.plain_steps(bench))
    left = bench.nova("remaining")
    if any(left.values()):
        raise RuntimeError(f"the plain side has not finished: {left}")
    return Run({name: seconds for name, seconds, _ in found}, False, memory.peak)


def plain_extrapolated(bench: Bench, ours: Run, sample: float) -> Run:
    """Seconds per row of the three long parts, each measured alone, times their rows."""
    for step in large_cloud.fast_steps(bench)[:2]:
        step()
    with large_cloud.Memory() as memory:
        keypairs = _rate(
            bench,
            sample,
            f"SELECT COUNT(*) FROM {MAIN}.instance_extra WHERE deleted = 0 AND keypairs IS NULL",
            _migrate,
        )
        bench.query(
            f"UPDATE {MAIN}.instance_extra SET keypairs = '' WHERE keypairs IS NULL"
        )  # a throw-away copy: on to the next
        specs = _rate(bench, sample, _LEFT.format(f"{API}.request_specs", "AND i.deleted = 0"), _migrate)
        for step in large_cloud.fast_steps(bench)[3:6]:
            step()
        cell = bench.query(f"SELECT uuid FROM {API}.cell_mappings WHERE name = 'cell1'")[0][0]
        words = ["cell_v2", "map_instances", "--cell_uuid", cell]
        mappings = _rate(bench, sample, _LEFT.format(f"{API}.instance_mappings", ""), words)
    print(
        f"  plain, timed for {sample:.0f} s each: keypairs {keypairs:.0f} s, specs {specs:.0f} s, mappings {mappings:.0f} s in all",
        flush=True,
    )
    long = {"online_data_migrations": keypairs + specs, "map_instances": mappings}
    return Run({name: long.get(name, ours.seconds[name]) for name in large_cloud.STEPS}, True, memory.peak)


_migrate = ["db", "online_data_migrations"]
_LEFT = f"SELECT COUNT(*) FROM {MAIN}.instances i WHERE NOT EXISTS (SELECT 1 FROM {{}} t WHERE t.instance_uuid = i.uuid) {{}}"


def _rate(bench: Bench, sample: float, count: str, words: list[str]) -> float:
    """Seconds for all rows that ``count`` counts, by what one command does in ``sample`` seconds after its first row."""
    total = left = bench.number(count)
    argv = [str(VENV / "bin" / "nova-manage"), "--config-file", str(bench.conf), *words]
    command = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while left == total and command.poll() is None:
            time.sleep(0.1)
            left = bench.number(count)
        first, started = left, time.monotonic()
        while time.monotonic() - started < sample and command.poll() is None:
            time.sleep(0.5)
        last, elapsed = bench.number(count), time.monotonic() - started
    finally:
        command.kill()
        command.wait()
    return total * elapsed / max(1, first - last)


def measure(bench: Bench, instances: int, arguments: argparse.Namespace) -> list[object]:
    print(f"{instances} instances: source and copy are made", flush=True)
    large_cloud.generate(bench, instances)
    large_cloud.clone(bench)
    ours = fast(bench)
    speed = f"{instances / ours.total:.0f}"
    if arguments.fast_only:
        return [instances, "-", ours.shown(), "-", speed, ours.peak_mb, "-", "-"]
    whole = instances <= arguments.plain_up_to
    rows = contents_of(bench.connection) if whole else {}
    large_cloud.clone(bench)
    theirs = plain(bench) if whole else plain_extrapolated(bench, ours, arguments.sample)
    equal = _compared(bench, rows) if whole else "-"
    for name, seconds in theirs.seconds.items():
        print(f"  plain {seconds:7.1f} s  {name}", flush=True)
    ratio = f"{'~' if theirs.extrapolated else ''}{ours.total / theirs.total:.3f}"
    return [instances, theirs.shown(), ours.shown(), ratio, speed, ours.peak_mb, theirs.peak_mb, equal]


def _compared(bench: Bench, ours: dict[str, str]) -> str:
    """How many tables of the three databases hold the same rows on both sides."""
    # Nova's own batches stop somewhere among the instances that have a spec (trap 3); one more brings its marker to the end.
    large_cloud.command(bench, "db", "online_data_migrations", "--max-count", "1000000")
    theirs = contents_of(bench.connection)
    different = sorted(table for table in theirs if theirs[table] != ours.get(table))
    return f"{len(theirs) - len(different)} of {len(theirs)}" + (f", not {', '.join(different)}" if different else "")


def machine() -> str:
    model = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory:.0f} GB, MariaDB on the same node"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("instances", type=int, nargs="+", help="sizes, e.g. 1000 10000 50000 200000")
    parser.add_argument(
        "--plain-up-to",
        type=int,
        default=10000,
        metavar="N",
        help="run the plain side to its end up to N instances (10000)",
    )
    parser.add_argument(
        "--sample",
        type=float,
        default=60,
        metavar="SECONDS",
        help="how long to time each long plain command above that (60)",
    )
    parser.add_argument("--fast-only", action="store_true", help="leave the plain side out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        try:
            table = [measure(bench, instances, arguments) for instances in arguments.instances]
        finally:
            bench.close()
    heads = ["instances", "plain s", "fast s", "ratio", "instances/s", "peak MB fast", "peak MB plain", "equal tables"]
    print(f"\n{machine()}; this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB\n")
    print(tabulate(table, heads, tablefmt="github", disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
