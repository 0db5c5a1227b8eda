"""How long the command takes to say something: ``upgrader --help`` and ``upgrader status``, as ratio to ``python -c pass``.

    python -m benchmarks.start

Each is started ``ROUNDS`` times in turn; the least of each counts, because whatever else works on the machine only adds to it.
``cpu`` is processor time, of which others add less; the ratio is of that. Status tells of a whole rehearsal's journal, which says the
most where a step failed. ``modules`` is how many Python modules the process had loaded at its end.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from tests.support.long_run import LongRun  # noqa: E402

ROUNDS = 10
LIMITS = {"help": 0.2, "status": 0.4}
"""Seconds that the operator is promised, on a machine that does nothing else."""
COUNT = (
    "import atexit,sys; atexit.register(lambda: sys.stderr.write(str(len(sys.modules)))); sys.argv[0] = 'upgrader'; "
)


def _seconds(words: Sequence[str]) -> tuple[float, float]:
    """From start to end, and of the processor."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, used


def _modules(words: Sequence[str]) -> str:
    code = f"{COUNT}from upgrader.cli.main import entry; sys.argv[1:] = {list(words)!r}; entry()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return ran.stderr


def main() -> None:
    """One line a command."""
    with tempfile.TemporaryDirectory() as folder:
        for stop in ("failed", "finished"):
            LongRun(Path(folder) / stop).until(stop)
        said = {"help": ["--help"]}
        said |= {f"status, {stop}": ["--state-dir", f"{folder}/{stop}", "status"] for stop in ("finished", "failed")}
        commands = {"pass": [sys.executable, "-c", "pass"]}
        commands |= {name: [sys.executable, "-m", "upgrader", *words] for name, words in said.items()}
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, words in commands.items():
                took[name].append(_seconds(words))
        seconds = {name: min(one for one, _ in rows) for name, rows in took.items()}
        cpu = {name: min(one for _, one in rows) for name, rows in took.items()}
        rows = [
            (name, f"{seconds[name]:.3f}", f"{cpu[name]:.3f}", f"{cpu[name] / cpu['pass']:.1f}", LIMITS[name.split(",")[0]], _modules(words))
            for name, words in said.items()
        ]  # fmt: skip
    print(f"python -c pass: {seconds['pass']:.3f} s, cpu {cpu['pass']:.3f} s, the least of {ROUNDS}")
    print(tabulate(rows, ["command", "seconds", "cpu", "ratio to pass", "promised", "modules"], tablefmt="github"))


if __name__ == "__main__":
    main()
