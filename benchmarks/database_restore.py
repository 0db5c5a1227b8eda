"""A restore as this project does it, and the usual runbook by hand: how long nobody serves, and until three members do."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pymysql

from benchmarks.database_cluster import DATADIR, HOUR, Databases
from upgrader.lab.machine.node import Node

ASIDE, FETCHED = "/var/lib/mysql.aside", "/var/lib/benchmark-restore"


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
        bench.take()
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
    """The usual runbook's steps in their order; nothing is waited for longer than it has to be."""
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
    from upgrader_node.backup import store_link

    flags = ["-T", "-i", store_link.KEY, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    flags += ["-o", "UserKnownHostsFile=" + store_link.KNOWN_HOSTS]
    known = (bench.nodes[0].root / store_link.KNOWN_HOSTS.lstrip("/")).read_text().split()[0].split(",")[0]
    return ["ssh", *flags, f"{store_link.STORE_USER}@{known}"]


def _everywhere(nodes: Sequence[Node], words: Sequence[str]) -> None:
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(lambda node: node.run(words, timeout=HOUR), nodes))


def _wait_whole(bench: Databases) -> None:
    deadline = time.monotonic() + HOUR
    while not all(_serving(bench, node)[1] for node in bench.nodes):
        if time.monotonic() > deadline:
            raise RuntimeError("the cluster is not whole an hour after the restore by hand")
        time.sleep(0.1)
