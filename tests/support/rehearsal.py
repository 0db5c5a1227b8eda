"""Driving and judging a whole stage in the lab, through doors that the code under test does not use.

Databases are read over the server's own socket as root from outside the node; the journal is read as plain lines.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymysql

from tests.support.processes import Processes
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import wait_until

STAGE = ("control-plane", "--stage", "test-upgrade")
# Seconds in which nothing at all is written into a journal: no step of the lab says nothing for so long, however slow the machine.
STANDSTILL = 600
# The commands that carry out steps, by their words.
BUSY = "upgrader (control-plane|data-plane|resume)"
SOURCES = ("keystone", "glance", "nova", "nova_api", "cinder", "neutron", "heat")
NOVA = ("nova_upgrade", "nova_upgrade_api", "nova_upgrade_cell0")
OTHERS = ("keystone_upgrade", "glance_upgrade", "cinder_upgrade", "neutron_upgrade", "heat_upgrade")
CLONES = (*NOVA, *OTHERS)
SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
VOLATILE = {"created_at", "updated_at", "id"}
RANDOM = {
    "cell_mappings": {"uuid"},
    "migrate_version": {"repository_path"},
    "services": {"report_count", "last_seen_up"},
}
# What running services and every verification write: engines that report, objects that were made and marked as deleted.
LOOSE = {
    "keystone_upgrade.revocation_event", "glance_upgrade.images", "glance_upgrade.image_properties", "glance_upgrade.image_locations",
    "cinder_upgrade.volume_types", "cinder_upgrade.services", "heat_upgrade.service", "neutron_upgrade.agents",
}  # fmt: skip


class Rehearsal:
    """The stage in one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.cfg, self.dbs, self.upg = (lab.node(name) for name in ("cfg01", "dbs01", "upg01"))
        self.databases = [lab.node(name) for name in ("dbs01", "dbs02", "dbs03")]

    def command(self, *words: str) -> list[str]:
        return self.cfg.command(["upgrader", *words])

    def run(self, *words: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """The command on the Salt master, to its end."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/root"}
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            env=environment,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def wait_for_minions(self) -> None:
        """Until every minion answers: a job that is published before one is connected again never reaches it."""
        command = ["salt", "--out=txt", "-t", "3", "*", "test.ping"]
        known = len(list((self.cfg.root / "etc/salt/pki/master/minions").iterdir()))
        wait_until(lambda: self.cfg.run(command, check=False).stdout.count("True") == known, 360, f"{known} minions")

    def _folder(self) -> Path:
        return self.cfg.root / "var/lib/upgrader/lab/runs"

    def journals(self) -> list[Path]:
        return sorted(self._folder().glob("*.jsonl"))

    def journal(self) -> list[dict[str, Any]]:
        """Whole lines of the newest journal, unchecked."""
        content = self.journals()[-1].read_text() if self.journals() else ""
        return [json.loads(line) for line in content.split("\n")[:-1]]

    def run_id(self) -> str:
        """Id of the newest run."""
        return self.journals()[-1].stem

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """The command in the background; whatever is left of it is killed at the end."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/root"}
        self._remember()
        process = subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            yield process
        finally:
            kill_inner(process)
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def when(self, step: str, event: str, act: Callable[[], None]) -> Iterator[None]:
        """Do something once the next run's journal says ``event`` of ``step``; the command stands still meanwhile."""
        self._remember()

        def watch() -> None:
            assert self.wait_for_event(step, event, None)
            self.cfg.run(["pkill", "-STOP", "-f", BUSY])
            try:
                act()
            finally:
                self.cfg.run(["pkill", "-CONT", "-f", BUSY])
                continue_entering()

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            yield
            watching.result()

    def _remember(self) -> None:
        newest = max(self._folder().glob("*.jsonl"), default=None)
        self._before = newest, newest.stat().st_size if newest else 0

    def kill_at(self, words: Sequence[str], step: str, event: str, delay: float = 0.0) -> bool:
        """Run the command and SIGKILL it once the journal says ``event`` of ``step``. False when it ended before that."""
        with self.started(*words) as process:
            if not self.wait_for_event(step, event, process):
                return False
            time.sleep(delay)
            return kill_inner(process)

    def wait_for_event(self, step: str, event: str, process: subprocess.Popen[bytes] | None) -> bool:
        """Until the command that was started last has written ``event`` of ``step``. False when it ended before that.

        A stage is as slow as its machine: the wait is over once the journal has not grown for ten minutes.
        """
        folder, (path, size) = self._folder(), self._before
        wanted = (f'"event":"{event}"'.encode(), f'"step":"{step}"'.encode())
        seen, deadline = -1, time.monotonic() + STANDSTILL
        while time.monotonic() < deadline:
            ended = process is not None and process.poll() is not None
            newest = max(folder.glob("*.jsonl"), default=None)
            new = newest.read_bytes()[size if newest == path else 0 :] if newest else b""
            if len(new) != seen:
                seen, deadline = len(new), time.monotonic() + STANDSTILL
            if any(all(text in line for text in wanted) for line in new.split(b"\n")[:-1]):
                return True
            if ended:
                return False
            time.sleep(0.003)
        raise AssertionError(f"step {step} was not reached in time")

    def step_in_doubt(self) -> str | None:
        """The step that the journal shows as started and not finished, read from its plain lines."""
        current = None
        for row in self.journal():
            if row["event"] == "step-started":
                current = row["step"]
            elif row["event"] == "step-finished":
                current = None
        return current

    def connect(self, node: Node | None = None) -> pymysql.connections.Connection[Any]:
        socket = (node or self.dbs).root / "run/mysqld/mysqld.sock"
        return pymysql.connect(unix_socket=str(socket), user="root", charset="utf8mb4", autocommit=True)

    def checksums(self, databases: Sequence[str] = SOURCES) -> dict[str, str]:
        """The server's own checksum of every table, and the text of its definition."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            return {f"{d}.{t}": _checksum(cursor, d, t) for d in databases for t in tables(cursor, d)}

    def production(self) -> list[str]:
        """Every database of the server that is neither its own, nor a clone, nor the tool's ledger."""
        names = self.column("SELECT schema_name FROM information_schema.schemata ORDER BY 1")
        return [name for name in names if name not in (*SYSTEM, *CLONES, "upgrader")]

    def contents(self, databases: Sequence[str] = NOVA) -> dict[str, str]:
        """A digest of every table's rows without what differs from run to run: times, row numbers, random ids.

        Of the other services the number of rows: keys, tokens and salts make their contents another one each time.
        """
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            names = [f"{database}.{table}" for database in OTHERS for table in tables(cursor, database)]
            counts = {name: str(_one(cursor, f"SELECT COUNT(*) FROM {name}")[0]) for name in names if name not in LOOSE}
            return {**contents_of(connection, databases), **counts}

    def gets_past(self, step: str, *words: str) -> bool:
        """Go on (or run ``words``) until a step has ended well; the rest of the stage is left undone."""
        if not self.kill_at(words or ("resume",), step, "step-finished"):
            return False
        ended = [row for row in self.journal() if row["event"] == "step-finished" and row["step"] == step]
        self.wait_for_idle_minions()
        return bool(ended[-1]["ok"])

    def wait_for_idle_minions(self) -> None:
        """What a killed command had submitted goes on; ``--restart`` is refused until it has ended."""
        active = ["salt-run", "--out=json", "jobs.active"]
        wait_until(lambda: self.cfg.run(active, check=False).stdout.strip() == "{}", 360, "idle minions")

    def packets(self, name: str) -> dict[str, int]:
        """What a production node has counted of the upgrade node's packets, by counter."""
        told = json.loads(self.lab.node(name).run(["nft", "-j", "list", "counters"]).stdout)
        return {item["counter"]["name"]: item["counter"]["packets"] for item in told["nftables"] if "counter" in item}

    def column(self, statement: str) -> list[Any]:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()]

    def execute(self, statement: str) -> None:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def scalar(self, statement: str) -> Any:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            return _one(cursor, statement)[0]


def _one(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()


def _checksum(cursor: Any, database: str, table: str) -> str:
    """Without the next number that a server would give: Galera rounds it by the member's place in the cluster at each start."""
    rows = _one(cursor, f"CHECKSUM TABLE `{database}`.`{table}` EXTENDED")[1]
    made = _one(cursor, f"SHOW CREATE TABLE `{database}`.`{table}`")[1]
    return f"{rows} {re.sub(r' AUTO_INCREMENT=[0-9]+', '', made)}"


def tables(cursor: Any, database: str) -> list[str]:
    cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY table_name", (database,)
    )
    return [row[0] for row in cursor.fetchall()]


def contents_of(connection: Any, databases: Sequence[str] = NOVA) -> dict[str, str]:
    """See ``Rehearsal.contents``."""
    with connection.cursor() as cursor:
        return {f"{d}.{t}": _digest(cursor, d, t) for d in databases for t in tables(cursor, d)}


def _digest(cursor: Any, database: str, table: str) -> str:
    left_out = VOLATILE | RANDOM.get(table, set())
    cursor.execute(f"SELECT * FROM `{database}`.`{table}`")
    names = [column[0] for column in cursor.description]
    kept = [position for position, name in enumerate(names) if name not in left_out]
    rows = sorted("|".join(_plain(names[position], row[position]) for position in kept) for row in cursor.fetchall())
    return f"{len(rows)} rows {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"


def _plain(name: str, value: Any) -> str:
    """JSON is compared as a value, not as text; of the time of a soft deletion only that there is one."""
    if name == "deleted_at":
        return repr(value is None)
    if isinstance(value, str) and value[:1] in "{[":
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(value), sort_keys=True)
    return repr(value)


def continue_entering() -> None:
    """``nsenter`` stands still with the command that it started, and has to be told by itself to go on."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0] == b"nsenter" and re.search(BUSY.encode(), b" ".join(words)):
                os.kill(int(entry.name), signal.SIGCONT)


def kill_inner(process: subprocess.Popen[bytes]) -> bool:
    """SIGKILL the command itself."""
    hit = signal_inner(process, signal.SIGKILL)
    process.wait(timeout=10)
    return hit


def signal_inner(process: subprocess.Popen[bytes], number: int) -> bool:
    """A signal for the command itself, which is the child of the process that entered the node. False when it is not there."""
    try:
        inner = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except OSError:
        return False
    for pid in inner:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return bool(inner)


class Watcher:
    """Looks at every command line and environment on the machine, many times a second, for texts that must not be there."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self.seen: set[str] = set()
        self.looked = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        processes = Processes()
        while not self._end.wait(0.02):
            for path, text in processes.news():
                self._look(path, text)
            self.looked += 1

    def _look(self, path: str, text: bytes) -> None:
        for secret in self._secrets:
            if secret in text:
                self.seen.add(f"{path}: {text[:120]!r}")
