"""How long nova's own code takes over every row of a copy that only it can judge, and over the same live rows page by page.

Runs on the lab's bench node: ``upgrader lab --name bench3 up --topology bench``, then
``upgrader lab --name bench3 exec bench01 -- env PYTHONPATH=/src /opt/salt/bin/python -m benchmarks.probe 1000 10000``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "formulas" / "_utils"))

from upgrader_node.probe import kinds  # noqa: E402

from tests.functional.bench import Bench  # noqa: E402
from tests.functional.test_nova_preflight import ACCOUNT, _pillar  # noqa: E402
from tests.support import large_cloud  # noqa: E402

SOURCES = ["nova", "nova_api"]


def copied(bench: Bench) -> None:
    """The rehearsal's step."""
    answer = bench.call("upgrader_probe.rows", "nova")
    lines = [
        (kind, f"{told['rows']:,}", f"{told['judged']:,}", told["count"]) for kind, told in answer["probed"].items()
    ]
    print(tabulate(lines, ("kind", "rows", "judged", "refused")))
    print(
        f"{answer['comment']}; {answer['seconds']} s, {answer['worker_memory_mb']} MB in the largest process",
        flush=True,
    )


def live(bench: Bench) -> None:
    """What ``upgrader preflight --deep`` does of nova, without the way through Salt's master."""
    lines = []
    for kind in kinds.of_service("nova"):
        place = {"service": "nova", "kind": kind.id, "databases": SOURCES}
        reading = judging = 0.0
        pages = rows = largest = 0
        page = {"after": None, "more": True}
        while page["more"]:
            began = time.monotonic()
            page = bench.call("upgrader_probe.page", **place, after=page["after"])
            reading += time.monotonic() - began
            pages, rows, largest = pages + 1, rows + page["rows"], max(largest, len(page["packed"]))
            if page["packed"]:
                began = time.monotonic()
                pages_of_one = [{"kind": kind.id, "packed": page["packed"]}]
                bench.call("upgrader_probe.judge", service="nova", databases=SOURCES, pages=pages_of_one)
                judging += time.monotonic() - began
        lines.append((kind.id, f"{rows:,}", pages, f"{largest // 1000}", f"{reading:.1f}", f"{judging:.1f}"))
    print(tabulate(lines, ("kind", "rows", "pages", "largest, kB", "read, s", "judged, s")), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instances", type=int, nargs="+")
    parser.add_argument("--live", action="store_true", help="the live rows as well, page by page")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        for instances in options.instances:
            large_cloud.generate(bench, instances)
            large_cloud.clone(bench)
            print(f"\n{instances:,} instances, load {os.getloadavg()[0]:.1f}", flush=True)
            copied(bench)
            if options.live:
                name, password = ACCOUNT
                bench.query(f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY {bench.connection.escape(password)}")
                bench.query(f"GRANT ALL ON *.* TO {name}@'%'")
                _pillar(bench, bench.port)
                live(bench)
        bench.close()


if __name__ == "__main__":
    main()
