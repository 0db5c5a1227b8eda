"""How long users could not work, and where the time went: from a lab's journals of real-upgrade and rollback.

    python -m benchmarks.window --lab demo            a lab that is up, as root: `upgrader lab demo --keep` leaves one
    python -m benchmarks.window real.json back.json   documents that `upgrader status RUN -o json` printed

Nothing is run: what a lab's own runs wrote down is told. Of every finished run of the two stages: the seconds in which each API did not
answer, as the prober saw it at the virtual address; what the run took, and the databases' part of a way back; each step of ``LEAST``
seconds and more. A run that was resumed is told with its number of attempts, for then its outages hold the time between them, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from upgrader.lab import Lab  # noqa: E402
from upgrader.lab.demo.figures import Figures, figures  # noqa: E402
from upgrader.lab.demo.master import Master  # noqa: E402

STAGES = ("real-upgrade", "rollback")
LEAST = 1.0

Document = Mapping[str, Any]


def of_lab(name: str) -> list[Document]:
    """The finished runs of the two stages in a lab, oldest first."""
    master = Master(Lab(name).node("cfg01"))
    runs = [
        run["run"] for run in master.ask("history")["runs"] if run["stage"] in STAGES and run["state"] == "finished"
    ]
    return [master.ask("status", run) for run in runs]


def away(runs: Sequence[Figures]) -> str:
    """A row for each API, a column for each run."""
    apis = sorted({api for run in runs for api in run.outages})
    rows = [[api, *(f"{run.outages[api].down:.1f}" if api in run.outages else "" for run in runs)] for api in apis]
    rows.append(["not watched", *(f"{run.not_watched:.1f}" for run in runs)])
    return _table(["API away, s", *map(_head, runs)], rows)


def durations(documents: Sequence[Document], runs: Sequence[Figures]) -> str:
    """The whole run, the databases' way back, and each step that took long in one of the runs, in the order of the plans."""
    took = [{step["id"]: step["seconds"] or 0.0 for step in document["steps"]} for document in documents]
    long = dict.fromkeys(step for one in took for step in one if max(other.get(step, 0.0) for other in took) >= LEAST)
    rows = [
        ["all steps", *(f"{run.seconds:.1f}" for run in runs)],
        ["databases back", *("" if run.databases_back is None else f"{run.databases_back:.1f}" for run in runs)],
        ["most attempts of a step", *(str(max(step["attempts"] for step in one["steps"])) for one in documents)],
        *([step, *(f"{one[step]:.1f}" if step in one else "" for one in took)] for step in long),
    ]
    return _table(["step, s", *map(_head, runs)], rows)


def _head(run: Figures) -> str:
    return f"{run.stage} {run.run.rsplit('-', 1)[-1]}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, head, tablefmt="github", disable_numparse=True)


def main() -> None:
    """Both tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--lab", help="name of a lab that is up")
    options.add_argument(
        "documents", nargs="*", type=Path, help="files with documents of `upgrader status RUN -o json`"
    )
    given = options.parse_args()
    documents = of_lab(given.lab) if given.lab else [json.loads(path.read_text()) for path in given.documents]
    if not documents:
        options.error(f"no finished run of {' or '.join(STAGES)}: name a lab that has one (--lab), or documents")
    runs = [figures(one) for one in documents]
    print(f"{away(runs)}\n\n{durations(documents, runs)}")


if __name__ == "__main__":
    main()
