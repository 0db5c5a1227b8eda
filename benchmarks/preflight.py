"""Preflight of all six services against one reading of the same tables, on the bench node; and what a writer waits meanwhile.

    upgrader lab --name bench4 up --topology bench
    upgrader lab --name bench4 exec bench01 -- env PYTHONPATH=/src /opt/salt/bin/python -m benchmarks.preflight 200000

ask       ``upgrader_preflight.databases`` through Salt's loader: every question to every database
read      CHECKSUM TABLE of the same databases: the server reads every row once, and nothing else
wait      the longest that one row's UPDATE and commit took while preflight was asking, by a client that did so all the while
locks     the most rows that preflight's session held locked, looked at every few milliseconds (information_schema.innodb_trx)
"""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from tests.functional.bench import SOCKET, Bench  # noqa: E402
from tests.functional.copies import SERVICES, Copies  # noqa: E402
from tests.functional.test_nova_preflight import ACCOUNT, _pillar  # noqa: E402
from tests.functional.test_preflight_services import DATABASES, VERSIONS  # noqa: E402
from tests.support.large_cloud import generate  # noqa: E402

ROUNDS = 3
LOCKED = "SELECT COALESCE(MAX(trx_rows_locked), 0) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
LOCKED += " ON p.id = t.trx_mysql_thread_id WHERE p.user = %s"


class Beside:
    """A client that writes one row after the other, and one that looks at what preflight holds locked."""

    def __init__(self) -> None:
        self.longest, self.locked = 0.0, 0

    def write(self, done: threading.Event) -> None:
        with _connection() as cursor:
            while not done.wait(0.01):
                started = time.monotonic()
                cursor.execute("UPDATE nova.instances SET updated_at = NOW() WHERE id = 1")
                self.longest = max(self.longest, time.monotonic() - started)

    def look(self, done: threading.Event) -> None:
        with _connection() as cursor:
            while not done.wait(0.02):
                cursor.execute(LOCKED, (ACCOUNT[0],))
                self.locked = max(self.locked, int(cursor.fetchone()[0]))


@contextlib.contextmanager
def _connection() -> Iterator[Any]:
    connection = pymysql.connect(unix_socket=str(SOCKET), user="root", autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


def asked(bench: Bench) -> tuple[float, Beside]:
    """Seconds of the questions, and what those beside them saw."""
    beside, done = Beside(), threading.Event()
    threads = [threading.Thread(target=work, args=(done,)) for work in (beside.write, beside.look)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    answer = bench.call("upgrader_preflight.databases", databases=DATABASES, versions=VERSIONS)
    seconds = time.monotonic() - started
    done.set()
    for thread in threads:
        thread.join()
    if [finding for finding in answer["findings"] if finding["severity"] == "blocker"]:
        raise SystemExit(f"the generated cloud has blockers: {answer['comment']}")
    return seconds, beside


def read(bench: Bench) -> float:
    """Seconds of the server's reading of every row."""
    names = bench.query(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema IN %s",
        (tuple(name for names in DATABASES.values() for name in names),),
    )
    started = time.monotonic()
    bench.query("CHECKSUM TABLE " + ", ".join(f"`{schema}`.`{table}`" for schema, table in names) + " EXTENDED")
    return time.monotonic() - started


def measured(bench: Bench, instances: int) -> list[Any]:
    """One row of the table: the median of the ratios' round counts."""
    generate(bench, instances)
    rounds = sorted(((*asked(bench), read(bench)) for _ in range(ROUNDS)), key=lambda one: one[0] / one[2])
    ask, beside, reading = rounds[ROUNDS // 2]
    longest = max(one[1].longest for one in rounds)
    return [instances, f"{ask:.1f}", f"{reading:.1f}", f"{ask / reading:.2f}", f"{longest * 1000:.0f}", beside.locked]


def main() -> None:
    """Each number of instances in turn, all services of the usual size beside nova."""
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        copies = Copies(bench)
        name, password = ACCOUNT
        bench.account(name, "'%'", "*.*", password=password)
        _pillar(bench, bench.port)
        rows = [measured(bench, int(word)) for word in sys.argv[1:] or ["1000"]]
        bench.forget_account(name)
        copies.close()
        bench.close()
    print(f"{platform.machine()}, {len(SERVICES) + 1} services")
    print(tabulate(rows, ["instances", "ask s", "read s", "ratio", "wait ms", "rows locked"], tablefmt="github"))


if __name__ == "__main__":
    main()
