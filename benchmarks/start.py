"""How long the command takes to say something: ``upgrader --help`` and ``upgrader status``, as ratio to ``python -c pass``.

    python -m benchmarks.start

Each is started ``ROUNDS`` times in turn; the least of each counts, because whatever else works on the machine only adds to it. Status
tells of a whole rehearsal's journal. ``modules`` is how many Python modules the process had loaded at its end.
"""

from __future__ import annotations

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

ROUNDS = 15
LIMITS = {"help": 0.2, "status": 0.4}
"""Seconds that the operator is promised, on a machine that does nothing else."""
COUNT = (
    "import atexit,sys; atexit.register(lambda: sys.stderr.write(str(len(sys.modules)))); sys.argv[0] = 'upgrader'; "
)


def _seconds(words: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
    return time.perf_counter() - started


def _modules(words: Sequence[str]) -> str:
    code = f"{COUNT}from upgrader.cli.main import entry; sys.argv[1:] = {list(words)!r}; entry()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return ran.stderr


def main() -> None:
    """One line a command."""
    with tempfile.TemporaryDirectory() as folder:
        LongRun(Path(folder)).until("failed")
        upgrader = [sys.executable, "-m", "upgrader"]
        said = {"help": ["--help"], "status": ["--state-dir", folder, "status"]}
        commands = {
            "pass": [sys.executable, "-c", "pass"],
            **{name: [*upgrader, *words] for name, words in said.items()},
        }
        least = dict.fromkeys(commands, float("inf"))
        for _ in range(ROUNDS):
            for name, words in commands.items():
                least[name] = min(least[name], _seconds(words))
        rows = [
            (name, f"{least[name]:.3f}", f"{least[name] / least['pass']:.1f}", LIMITS[name], _modules(words))
            for name, words in said.items()
        ]
    print(f"python -c pass: {least['pass']:.3f} s, the least of {ROUNDS}")
    print(tabulate(rows, ["command", "seconds", "ratio to pass", "promised", "modules"], tablefmt="github"))


if __name__ == "__main__":
    main()
