"""Backup, clone and restore of a database cluster: as this project does them, and the plain ways, in one run on one lab.

Runs as root on the host, in a lab of its own that is gone afterwards:
``python -m benchmarks.databases --gigabytes 1``. The plain ways:

backup   the data directory copied with ``cp`` on the same node and disk, then ``tar | zstd -1 -T2`` to a file
restore  the reference's procedure with the same archive: stop all, move the data directory aside, fetch, unpack, prepare,
         copy back and chown on the first node, found the cluster with it, let the others in by state transfer
clone    ``mariadb-dump | mariadb`` on the backup node, and mydumper + myloader, all through the cluster's haproxy

They run in this order: a restore needs a run that has ended, and the clone's is killed once the clones are verified.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from tests.support.rehearsal import STAGE, Rehearsal, kill_inner  # noqa: E402
from upgrader.lab import Lab  # noqa: E402
from upgrader.lab.narrator import Narrator  # noqa: E402
from upgrader.lab.node import Node, node_environment  # noqa: E402
from upgrader.lab.passwords import load_or_make  # noqa: E402
from upgrader.lab.topology import VIRTUAL_ADDRESS  # noqa: E402

NAME, INSTANCES = "benchdb", 200
PHASES = ("backup", "restore", "clone")
TABLES, BATCH = 4, 5000
ROWS_PER_GIGABYTE = 400_000
NARROW_PER_WIDE = 12
DATADIR, ASIDE, FETCHED = "/var/lib/mysql", "/var/lib/mysql.aside", "/var/lib/benchmark-restore"
HOUR = 3600
CLONING = ("clone-create", "clone-export", "clone-load", "clone-verify")
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

    def steps(self) -> dict[str, dict[str, Any]]:
        """The newest journal's finished steps by id."""
        return {row["step"]: row for row in self.rehearsal.journal() if row["event"] == "step-finished"}

    def seconds_of(self, *steps: str) -> float:
        finished = self.steps()
        return sum(float(finished[step]["seconds"]) for step in steps)


# --- backup


def backup(bench: Databases) -> None:
    whole = bench.timed("upgrader backup create, whole command", lambda: _create(bench))
    step = bench.steps()["backup-create"]
    reply = next(iter(step["replies"].values()))
    document = reply["value"]["receipt"]
    stream = bench.note("ours: the stream", document["seconds"])
    seconds = bench.note("ours: step backup-create", step["seconds"])
    proof = bench.note("ours: step backup-prove", bench.seconds_of("backup-prove"))
    node = bench.lab.node(document["node"])
    copied, packed, size = _plain_backup(bench, node)
    bench.facts["backup"] = {
        "node": node.name,
        "data_bytes": document["data_bytes"],
        "archive_bytes": document["bytes"],
        "plain_archive_bytes": size,
        "whole_command": round(whole, 1),
        "proof": round(proof, 1),
    }
    bench.compare("backup", "stream / cp + tar and zstd", stream, copied + packed, 1.5)
    bench.compare("backup", "whole step / cp + tar and zstd", seconds, copied + packed, 1.5)
    bench.compare("backup", "stream / tar and zstd alone", stream, packed)


def _create(bench: Databases) -> None:
    bench.receipt = bench.command("backup", "create")["run"]


def _plain_backup(bench: Databases, node: Node) -> tuple[float, float, int]:
    """Nothing is stopped, so the copy would be of no use: this is what the disk and the compression take."""
    target, archive = "/var/lib/benchmark-copy", "/var/lib/benchmark-copy.tar.zst"
    node.run(["mkdir", target])
    copying = f"find {DATADIR} -mindepth 1 -maxdepth 1 ! -name galera.cache -exec cp -a -t {target} {{}} +"
    packing = f"set -o pipefail; tar -C {target} -cf - . | zstd -q -1 -T2 -c > {archive}; sync {archive}"
    try:
        copied = bench.timed("plain: cp -a of the data directory", lambda: node.run(["bash", "-c", copying]))
        packed = bench.timed("plain: tar and zstd -1 -T2 of the copy", lambda: node.run(["bash", "-c", packing]))
        return copied, packed, (node.root / archive.lstrip("/")).stat().st_size
    finally:
        node.run(["rm", "-rf", target, archive])


# --- restore


class Outage:
    """Looks at all servers several times a second through their own sockets: how many serve, and when."""

    def __init__(self, bench: Databases) -> None:
        self._bench, self._end = bench, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.none: list[float] = []
        self.fewer: list[float] = []

    def __enter__(self) -> Outage:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(0.1):
            seen = [_serving(self._bench, node) for node in self._bench.nodes]
            now = time.monotonic()
            if not any(serves for serves, _ in seen):
                self.none.append(now)
            if not all(whole for _, whole in seen):
                self.fewer.append(now)

    @property
    def without_any(self) -> float:
        return self.none[-1] - self.none[0] if self.none else 0.0

    @property
    def not_whole(self) -> float:
        return self.fewer[-1] - self.fewer[0] if self.fewer else 0.0


def _serving(bench: Databases, node: Node) -> tuple[bool, bool]:
    """Whether this node takes statements (a donor does too), and whether it is a synced member of all three."""
    try:
        with contextlib.closing(bench.rehearsal.connect(node)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SHOW STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_size', 'wsrep_local_state_comment')"
            )
            said = dict(cursor.fetchall())
    except (pymysql.err.MySQLError, OSError):
        return False, False
    serves = said.get("wsrep_ready") == "ON"
    whole = said.get("wsrep_local_state_comment") == "Synced" and said.get("wsrep_cluster_size") == str(
        len(bench.nodes)
    )
    return serves, serves and whole


def restore(bench: Databases) -> None:
    if not bench.receipt:
        _create(bench)
    placed = bench.timed("ours: backup place, whole command", lambda: bench.command("backup", "place", bench.receipt))
    with Outage(bench) as ours:
        whole = bench.timed(
            "ours: backup restore, whole command",
            lambda: bench.command("backup", "restore", bench.receipt, "--yes"),
        )
    bench.note("ours: no server", ours.without_any)
    bench.note("ours: fewer than three synced members", ours.not_whole)
    bench.facts["restore_steps"] = {name: row["seconds"] for name, row in bench.steps().items()}
    _tidy(bench)
    with Outage(bench) as plain:
        started = time.monotonic()
        by_hand(bench)
        _wait_whole(bench)
        hand = bench.note("by hand: whole procedure", time.monotonic() - started)
    bench.note("by hand: no server", plain.without_any)
    bench.note("by hand: fewer than three synced members", plain.not_whole)
    for node in bench.nodes:
        node.run(["rm", "-rf", ASIDE, FETCHED])
    bench.compare("restore", "no server", ours.without_any, plain.without_any, 0.4)
    bench.compare("restore", "until three synced members", ours.not_whole, plain.not_whole, 0.4)
    bench.compare("restore", "whole command, placed before", whole, hand, 0.4)
    bench.compare("restore", "place and restore", placed + whole, hand)


def _tidy(bench: Databases) -> None:
    """What a restore keeps for the operator goes: it is of no use here, and it takes room."""
    for node in bench.nodes:
        node.run(["find", "/var/lib", "-maxdepth", "1", "-name", "mysql.*", "-exec", "rm", "-rf", "{}", "+"])


def by_hand(bench: Databases) -> None:
    """The reference's steps in its order; nothing is waited for longer than it has to be."""
    first, others = bench.nodes[0], bench.nodes[1:]
    _everywhere(others, ["systemctl", "stop", "mariadb"])
    first.run(["systemctl", "stop", "mariadb"])
    _everywhere(others, ["find", DATADIR, "-mindepth", "1", "-delete"])
    first.run(["mv", DATADIR, ASIDE])
    first.run(["install", "-d", "-o", "mysql", "-g", "mysql", DATADIR])
    first.run(["install", "-d", FETCHED])
    link = " ".join(_store_link(bench))
    bench.timed(
        "by hand: fetch",
        lambda: first.run(["bash", "-c", f"{link} 'archive {bench.receipt}' > {FETCHED}.zst"]),
    )
    unpacking = f"set -o pipefail; zstd -q -d -c {FETCHED}.zst | mbstream -x -C {FETCHED}"
    bench.timed("by hand: unpack", lambda: first.run(["bash", "-c", unpacking]))
    target = f"--target-dir={FETCHED}"
    bench.timed("by hand: prepare", lambda: first.run(["mariadb-backup", "--prepare", "--use-memory=1G", target]))
    bench.timed("by hand: copy back", lambda: first.run(["mariadb-backup", "--copy-back", target]))
    first.run(["chown", "-R", "mysql:mysql", DATADIR])
    first.run(["rm", "-f", f"{FETCHED}.zst"])
    bench.timed("by hand: found", lambda: first.run(["galera_new_cluster"]))
    bench.timed("by hand: join", lambda: _everywhere(others, ["systemctl", "start", "mariadb"]))


def _store_link(bench: Databases) -> list[str]:
    """The ssh command by which a database node reads from the store."""
    import upgrader_store_link

    flags = ["-T", "-i", upgrader_store_link.KEY, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    flags += ["-o", "UserKnownHostsFile=" + upgrader_store_link.KNOWN_HOSTS]
    known = (bench.nodes[0].root / upgrader_store_link.KNOWN_HOSTS.lstrip("/")).read_text().split()[0].split(",")[0]
    return ["ssh", *flags, f"{upgrader_store_link.STORE_USER}@{known}"]


def _everywhere(nodes: Sequence[Node], words: Sequence[str]) -> None:
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(lambda node: node.run(words, timeout=HOUR), nodes))


def _wait_whole(bench: Databases) -> None:
    deadline = time.monotonic() + HOUR
    while not all(_serving(bench, node)[1] for node in bench.nodes):
        if time.monotonic() > deadline:
            raise RuntimeError("the cluster is not whole an hour after the restore by hand")
        time.sleep(0.1)


# --- clone


def clone(bench: Databases) -> None:
    _rehearse(bench)
    each = {step: bench.note(f"ours: step {step}", bench.seconds_of(step)) for step in CLONING}
    ours = sum(each.values())
    _drop(bench, "nova_upgrade")
    piped = bench.timed("plain: mariadb-dump into mariadb", lambda: _pipe(bench))
    _drop(bench, "nova_dump")
    tool = _mydumper(bench)
    _drop(bench, "nova_mydumper")
    bench.compare("clone", "with verify / dump pipe", ours, piped, 0.3)
    bench.compare("clone", "without verify / dump pipe", ours - each["clone-verify"], piped, 0.3)
    if tool:
        bench.compare("clone", "with verify / mydumper + myloader", ours, tool)
        bench.compare("clone", "without verify / mydumper + myloader", ours - each["clone-verify"], tool)


def _rehearse(bench: Databases) -> None:
    """The stage until the clones are verified; the rest of it is not this benchmark's."""
    with bench.rehearsal.started(*STAGE) as process:
        while process.poll() is None:
            if CLONING[-1] in bench.steps():
                kill_inner(process)
                break
            time.sleep(0.3)
    last = bench.steps().get(CLONING[-1])
    if not last or not last["ok"]:
        raise RuntimeError(f"the stage ended before the clones were verified: {list(bench.steps().values())[-1:]}")


def _drop(bench: Databases, name: str) -> None:
    bench.ask(f"DROP DATABASE IF EXISTS {name}")


def _options(bench: Databases) -> str:
    """A client's option file for the account that may do everything, by the address that clients use."""
    password = load_or_make(bench.lab.folder / "passwords.json").upgrader
    lines = ["user=upgrader", f'password="{password}"', f"host={VIRTUAL_ADDRESS}", "port=3306"]
    return "".join(f"[{group}]\n" + "\n".join(lines) + "\n" for group in ("client", "mydumper", "myloader"))


def _pipe(bench: Databases) -> None:
    """On the backup node, as a rehearsal without tablespaces would do it."""
    path = "/root/benchmark.cnf"
    bench.ask("CREATE DATABASE nova_dump CHARACTER SET utf8 COLLATE utf8_general_ci")
    bench.cfg.run(["bash", "-c", f"umask 077; cat > {path}"], input=_options(bench))
    words = f"mariadb-dump --defaults-file={path} --single-transaction --quick nova | mariadb --defaults-file={path} nova_dump"
    try:
        bench.cfg.run(["bash", "-c", f"set -o pipefail; {words}"], timeout=4 * HOUR)
    finally:
        bench.cfg.run(["rm", "-f", path])


def _mydumper(bench: Databases) -> float:
    """Nodes have no network to install it from: the host's own runs in the lab's network namespace."""
    if not shutil.which("mydumper"):
        print("mydumper is not installed on this machine: left out", file=sys.stderr)
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        path, dump = Path(folder) / "options.cnf", Path(folder) / "dump"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(_options(bench))
        common = [f"--defaults-file={path}", f"--host={VIRTUAL_ADDRESS}", "--threads=2"]
        dumping = ["mydumper", *common, "--database=nova", f"--outputdir={dump}", "--trx-consistency-only"]
        # Ten statements a transaction: a thousand, the default, would be write sets of a gigabyte.
        loading = [
            "myloader",
            *common,
            f"--directory={dump}",
            "--database=nova_mydumper",
            "--queries-per-transaction=10",
        ]
        dumped = bench.timed("plain: mydumper, 2 threads", lambda: _inside(bench, dumping))
        loaded = bench.timed("plain: myloader, 2 threads", lambda: _inside(bench, [*loading, "--enable-binlog"]))
    there = bench.ask("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'nova_mydumper'")
    rows = sum(bench.ask(f"SELECT COUNT(*) FROM nova_mydumper.bulk_{n}")[0][0] for n in range(1, TABLES + 1))
    if rows != bench.facts["rows"]:
        raise RuntimeError(f"myloader loaded {rows} rows of {bench.facts['rows']} into {there[0][0]} tables")
    return dumped + loaded


def _inside(bench: Databases, words: Sequence[str]) -> None:
    command = ["nsenter", f"--net={bench.lab.network.path}", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=node_environment(), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-1000:]}")


# --- report


def machine() -> str:
    model = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory:.0f} GB"


def report(bench: Databases, gigabytes: float, output: str) -> None:
    if output == "json":
        document = {
            "schema": 1,
            "machine": machine(),
            "gigabytes": gigabytes,
            "facts": bench.facts,
            "seconds": bench.seconds,
            "results": [result.document() for result in bench.results],
        }
        print(json.dumps(document, indent=2))
        return
    print(f"\n{machine()}; nova is {bench.facts.get('nova_bytes', 0) / 1e6:.0f} MB\n")
    print(
        tabulate(
            [result.row() for result in bench.results],
            ["phase", "what", "ours s", "plain s", "ratio", "target"],
            tablefmt="github",
            disable_numparse=True,
        )
    )
    print()
    print(tabulate([[name, f"{value:.1f}"] for name, value in bench.seconds.items()], ["part", "s"], tablefmt="github"))
    copied = bench.facts.get("backup")
    if copied:
        ours = copied["data_bytes"] / 1e6 / bench.seconds["ours: the stream"]
        names = ("plain: cp -a of the data directory", "plain: tar and zstd -1 -T2 of the copy")
        plain = copied["data_bytes"] / 1e6 / sum(bench.seconds[name] for name in names)
        print(f"\nbackup: ours {ours:.0f} MB/s, plain {plain:.0f} MB/s of data; {json.dumps(copied)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gigabytes", type=float, default=1, help="about how large nova is made (1)")
    parser.add_argument(
        "--only", default=",".join(PHASES), help="phases, with commas between them: backup,clone,restore"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result (text)")
    arguments = parser.parse_args()
    chosen = set(arguments.only.split(","))
    if chosen - set(PHASES):
        parser.error(f"no phase {', '.join(sorted(chosen - set(PHASES)))}; there are {', '.join(PHASES)}")
    lab = Lab(NAME, narrator=Narrator(quiet=True))
    work = {"backup": backup, "restore": restore, "clone": clone}
    lab.down()
    try:
        lab.up(instances=INSTANCES, topology="nova")
        bench = Databases(lab)
        bench.timed("fill", lambda: bench.fill(arguments.gigabytes))
        try:
            for phase in PHASES:
                if phase in chosen:
                    work[phase](bench)
        finally:
            report(bench, arguments.gigabytes, arguments.output)
    finally:
        lab.down()
    return 0 if all(result.document()["met"] for result in bench.results) else 1


if __name__ == "__main__":
    sys.exit(main())
