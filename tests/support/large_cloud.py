"""The ten steps on a generated cloud of any size, once as an operator would type them and once by our driver."""

from __future__ import annotations

import gzip
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.functional.bench import API, CELL0, DUMPS, MAIN, SOCKET, VENV, Bench
from upgrader.lab.mitaka import populate

Timed = list[tuple[str, float, Any]]
STEPS = (
    "api_db sync 20", "db sync 334", "online_data_migrations", "map_cell0", "create_cell", "discover_hosts", "map_instances", "api_db sync",
    "db sync", "online_data_migrations again",
)  # fmt: skip


def generate(bench: Bench, instances: int) -> None:
    """Source databases ``nova`` and ``nova_api`` with so many instances; whatever was there is dropped."""
    for schema in ("nova", "nova_api"):
        _fresh(bench, schema)
        _client(schema, gzip.decompress((DUMPS / f"{schema}.sql.gz").read_bytes()))
    bench.connection.autocommit(False)
    try:
        populate(bench.connection, instances=instances, services=("nova",))
    finally:
        bench.connection.commit()
        bench.connection.autocommit(True)


def clone(bench: Bench) -> None:
    """The copies, filled from the source by a pipe: nothing of it is held in memory."""
    bench.configure()
    for source, copy in (("nova", MAIN), ("nova_api", API)):
        _fresh(bench, copy)
        dump = subprocess.Popen(
            ["mariadb-dump", "--socket", str(SOCKET), "--single-transaction", source], stdout=subprocess.PIPE
        )
        subprocess.run(["mariadb", "--socket", str(SOCKET), copy], stdin=dump.stdout, check=True)
        if dump.wait() != 0:
            raise RuntimeError(f"mariadb-dump of {source} exited {dump.returncode}")
    _fresh(bench, CELL0)


def _fresh(bench: Bench, schema: str) -> None:
    bench.query(f"DROP DATABASE IF EXISTS {schema}")
    bench.query(f"CREATE DATABASE {schema} CHARACTER SET utf8")


def _client(schema: str, text: bytes) -> None:
    subprocess.run(["mariadb", "--socket", str(SOCKET), schema], input=text, check=True)


def fast_steps(bench: Bench) -> list[Callable[[], Any]]:
    """Through Salt's loader, everything as the stage calls it."""
    return [
        lambda: bench.nova("api_db_sync", version=20),
        lambda: bench.nova("db_sync", version=334),
        lambda: bench.nova("online_data_migrations"),
        lambda: bench.nova("map_cell0"),
        lambda: bench.nova("create_cell"),
        lambda: bench.nova("discover_hosts"),
        lambda: bench.nova("map_instances"),
        lambda: bench.nova("api_db_sync", version=31),
        lambda: bench.nova("db_sync", version=347),
        lambda: bench.nova("online_data_migrations"),
    ]


def plain_steps(bench: Bench) -> list[Callable[[], Any]]:
    """The ten commands as a runbook has them, in nova's own batches of 50."""
    return [
        lambda: command(bench, "api_db", "sync", "--version", "20"),
        lambda: command(bench, "db", "sync", "--version", "334"),
        lambda: command(bench, "db", "online_data_migrations"),
        # With its URL: nova's own spelling of it is a trap of its own (facts: cell0's password is left unquoted).
        lambda: bench.nova("map_cell0"),
        lambda: command(bench, "cell_v2", "create_cell", "--name=cell1"),
        lambda: command(bench, "cell_v2", "discover_hosts"),
        lambda: command(bench, "cell_v2", "map_instances", "--cell_uuid", cell_uuid(bench)),
        lambda: command(bench, "api_db", "sync"),
        lambda: command(bench, "db", "sync"),
        lambda: command(bench, "db", "online_data_migrations"),
    ]


def cell_uuid(bench: Bench) -> str:
    command(
        bench, "cell_v2", "list_cells"
    )  # the runbook reads it from there; a start of nova-manage is part of the price
    return str(bench.query(f"SELECT uuid FROM {API}.cell_mappings WHERE name = 'cell1'")[0][0])


def command(bench: Bench, *words: str) -> str:
    """One nova-manage, typed by hand; the plain side is worth nothing when it fails, so it may not."""
    argv = [str(VENV / "bin" / "nova-manage"), "--config-file", str(bench.conf), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=7200)
    if done.returncode != 0 or "Error attempting" in done.stdout:
        raise RuntimeError(f"nova-manage {' '.join(words)} exited {done.returncode}: {done.stdout[-400:]}")
    return done.stdout


def timed(steps: list[Callable[[], Any]]) -> Timed:
    """Run the ten steps; seconds and answer of each."""
    found: Timed = []
    for name, step in zip(STEPS, steps, strict=True):
        started = time.monotonic()
        answer = step()
        found.append((name, time.monotonic() - started, answer))
    return found


class Memory(AbstractContextManager["Memory"]):
    """The largest peak of resident memory of any process that nova's Python ran meanwhile, in MB."""

    def __init__(self) -> None:
        self.peak = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.25):
            for process in Path("/proc").glob("[0-9]*"):
                self._look(process)

    def _look(self, process: Path) -> None:
        try:
            if str(VENV).encode() not in (process / "cmdline").read_bytes():
                return
            status = (process / "status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak = max(self.peak, int(line.split()[1]) // 1024)
