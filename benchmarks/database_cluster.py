"""The lab's database cluster with a nova as large as is asked for, and what was measured on it."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.rehearsal import Rehearsal
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node

TABLES, BATCH = 4, 5000
ROWS_PER_GIGABYTE = 400_000
NARROW_PER_WIDE = 12
DATADIR = "/var/lib/mysql"
HOUR = 3600
# A row is like one of instance_extra: 1.3 kB of JSON that is nearly the same in every row and 1.0 kB of random hexadecimal.
FLAVOR = json.dumps(
    {
        "new": None,
        "cur": {
            "nova_object.version": "1.1",
            "nova_object.name": "Flavor",
            "nova_object.namespace": "nova",
            "nova_object.changes": ["flavorid", "memory_mb", "vcpus", "swap", "root_gb", "extra_specs", "is_public"],
            "nova_object.data": {
                "memory_mb": 4096,
                "vcpus": 2,
                "root_gb": 40,
                "extra_specs": {f"quota:limit_{n}": "unlimited by default" for n in range(16)},
            },
        },
        "old": None,
    }
)


@dataclass
class Result:
    """One comparison: seconds of ours and of the plain way, and the ratio that was aimed at."""

    phase: str
    what: str
    ours: float
    plain: float
    target: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.plain

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "-"
        return f"<= {self.target}: {'met' if self.ratio <= self.target else 'MISSED'}"

    def row(self) -> list[str]:
        return [
            self.phase,
            self.what,
            f"{self.ours:.1f}",
            f"{self.plain:.1f}",
            f"{self.ratio:.2f}",
            self.verdict,
        ]

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": round(self.ratio, 3), "met": self.target is None or self.ratio <= self.target}


class Databases:
    """The lab's cluster, and what was measured on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.rehearsal = lab, Rehearsal(lab)
        self.cfg, self.nodes = self.rehearsal.cfg, self.rehearsal.databases
        self.results: list[Result] = []
        self.seconds: dict[str, float] = {}
        self.facts: dict[str, Any] = {}
        self.receipt = ""

    def note(self, name: str, seconds: float) -> float:
        """Keep a figure under its name, and show it at once: a long run that breaks off has said something by then."""
        self.seconds[name] = round(seconds, 2)
        print(f"{datetime.now(tz=UTC):%H:%M:%S}  {seconds:8.1f} s  {name}", file=sys.stderr, flush=True)
        return seconds

    def timed(self, name: str, work: Callable[[], object]) -> float:
        started = time.monotonic()
        work()
        return self.note(name, time.monotonic() - started)

    def compare(self, phase: str, what: str, ours: float, plain: float, target: float | None = None) -> None:
        self.results.append(Result(phase, what, ours, plain, target))

    def ask(self, statement: str, node: Node | None = None) -> tuple[tuple[Any, ...], ...]:
        with contextlib.closing(self.rehearsal.connect(node)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def fill(self, gigabytes: float) -> None:
        """Tables beside nova's own, one writer for each two of them: the rows are made by the server itself."""
        wide = int(gigabytes * ROWS_PER_GIGABYTE / TABLES)
        narrow = int(wide * NARROW_PER_WIDE)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: self._fill(n, wide if n % 2 else narrow), range(1, TABLES + 1)))
        for node in self.nodes:  # a client that asks for settled reads waits until the node has applied everything
            self.ask("SET SESSION wsrep_sync_wait = 1", node)
            self.ask("ANALYZE TABLE " + ", ".join(f"nova.bulk_{n}" for n in range(1, TABLES + 1)), node)
        held = self.ask(
            "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = 'nova'"
        )
        self.facts["nova_bytes"] = int(held[0][0])
        self.facts["rows"] = (wide + narrow) * TABLES // 2

    def _fill(self, number: int, rows: int) -> None:
        """Odd tables are like instance_extra, even ones like instance_system_metadata: half of the bytes each."""
        table = f"nova.bulk_{number}"
        if number % 2 == 0:
            self._fill_narrow(table, rows)
            return
        self.ask(
            f"CREATE TABLE {table} (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, created_at DATETIME, deleted INT, "
            "instance_uuid VARCHAR(36) NOT NULL, flavor MEDIUMTEXT, device_metadata MEDIUMTEXT, "
            "KEY by_instance (instance_uuid)) ENGINE=InnoDB DEFAULT CHARSET=utf8"
        )
        with contextlib.closing(self.rehearsal.connect()) as connection, connection.cursor() as cursor:
            for first in range(0, rows, BATCH):
                cursor.execute(
                    f"INSERT INTO {table} (created_at, deleted, instance_uuid, flavor, device_metadata) "
                    "SELECT NOW(), 0, UUID(), %s, HEX(RANDOM_BYTES(500)) FROM nova.seq_1_to_"
                    + str(min(BATCH, rows - first)),
                    (FLAVOR,),
                )

    def _fill_narrow(self, table: str, rows: int) -> None:
        self.ask(
            f"CREATE TABLE {table} (created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, "
            "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, instance_uuid VARCHAR(36) NOT NULL, `key` VARCHAR(255) NOT NULL, "
            "value VARCHAR(255), deleted INT, KEY instance_uuid (instance_uuid)) ENGINE=InnoDB DEFAULT CHARSET=utf8"
        )
        batch = BATCH * 10
        with contextlib.closing(self.rehearsal.connect()) as connection, connection.cursor() as cursor:
            for first in range(0, rows, batch):
                cursor.execute(
                    f"INSERT INTO {table} (created_at, instance_uuid, `key`, value, deleted) "
                    "SELECT NOW(), UUID(), CONCAT('instance_type_', seq % 23), HEX(RANDOM_BYTES(8)), 0 FROM nova.seq_1_to_"
                    + str(min(batch, rows - first))
                )

    def command(self, *words: str) -> dict[str, Any]:
        """One of the project's commands on the master; its answer, and the steps' seconds from its journal."""
        ran = self.rehearsal.run(*words, "-o", "json", timeout=4 * HOUR)
        if ran.returncode != 0:
            raise RuntimeError(f"upgrader {' '.join(words)} ended with {ran.returncode}: {ran.stderr[-2000:]}")
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    def take(self) -> None:
        """A backup, as the command takes it; its id is kept."""
        self.receipt = self.command("backup", "create")["run"]

    def steps(self) -> dict[str, dict[str, Any]]:
        """The newest journal's finished steps by id."""
        return {row["step"]: row for row in self.rehearsal.journal() if row["event"] == "step-finished"}

    def seconds_of(self, *steps: str) -> float:
        finished = self.steps()
        return sum(float(finished[step]["seconds"]) for step in steps)
