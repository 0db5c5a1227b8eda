"""The whole database cluster back to one backup: from nothing, from a cluster that went on, from a command that was killed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.support.rehearsal import Rehearsal
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import wait_until

STORE = Path("srv/backup/upgrader")
DATADIR = "/var/lib/mysql"
NAMES = ("dbs01", "dbs02", "dbs03")
SYSTEM = "'mysql', 'sys', 'information_schema', 'performance_schema'"


class Cluster:
    """The three servers, looked at through their own sockets, and the backup they are put back to."""

    def __init__(self, lab: Lab) -> None:
        self.rehearsal = Rehearsal(lab)
        self.nodes = [lab.node(name) for name in NAMES]
        self.cfg = lab.node("cfg01")
        made = self.run("backup", "create", "-o", "json")
        assert made.returncode == 0, made.stderr
        self.receipt = json.loads(made.stdout)["run"]
        self.before = self.checksums(self.nodes[0])

    def run(self, *words: str) -> Any:
        return self.rehearsal.run(*words)

    def restore(self, *words: str) -> Any:
        return self.run("backup", "restore", self.receipt, "--yes", "--restart", *words)

    def path(self, name: str) -> Path:
        return self.cfg.root / STORE / self.receipt / name

    def connect(self, node: Node) -> pymysql.connections.Connection[Any]:
        socket = node.root / "run/mysqld/mysqld.sock"
        return pymysql.connect(unix_socket=str(socket), user="root", autocommit=True)

    def ask(self, node: Node, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(self.connect(node)) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION wsrep_sync_wait = 1")
            cursor.execute(statement)
            return list(cursor.fetchall())

    def checksums(self, node: Node) -> dict[str, int]:
        """The server's own checksum of every table, asked for in one statement."""
        tables = self.ask(
            node,
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            f"AND table_schema NOT IN ({SYSTEM})",
        )
        names = ", ".join(f"`{database}`.`{table}`" for database, table in tables)
        return dict(self.ask(node, f"CHECKSUM TABLE {names} EXTENDED"))  # type: ignore[arg-type]

    def status(self, node: Node, name: str) -> str:
        return str(self.ask(node, f"SHOW STATUS LIKE 'wsrep_{name}'")[0][1])

    def servers(self) -> list[str]:
        """The process of every server: another one means that it was stopped meanwhile."""
        return [node.run(["systemctl", "show", "--property=MainPID", "mariadb"]).stdout for node in self.nodes]

    def folders(self) -> list[list[str]]:
        return [node.run(["ls", "-A", "/var/lib"]).stdout.split() for node in self.nodes]

    def assert_restored(self) -> None:
        for node in self.nodes:
            assert self.status(node, "cluster_size") == "3"
            assert self.status(node, "local_state_comment") == "Synced"
            assert self.checksums(node) == self.before, node.name
            self.assert_no_second_cluster(node)

    def assert_no_second_cluster(self, node: Node) -> None:
        found = node.run(["grep", "-rhsE", "^[^#]*wsrep_cluster_address", "/etc/mysql"]).stdout
        assert found
        assert not re.search(r"gcomm://\s*$", found, re.MULTILINE)
        assert self.ask(node, "SELECT @@wsrep_cluster_address")[0][0].count(",") == 2
        assert not (node.root / "run/mariadb-wsrep-new-cluster").exists()
        assert "WSREP" not in node.run(["systemctl", "show-environment"]).stdout


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Cluster:
    return Cluster(lab)


@pytest.fixture(autouse=True)
def _cluster_stays_whole(cluster: Cluster) -> Iterator[None]:
    """Whatever a test did, the next one finds the cluster as it was; what restores keep for the operator goes."""
    yield
    with contextlib.suppress(pymysql.err.MySQLError, AssertionError):
        cluster.assert_restored()
        tidy(cluster)
        return
    mended = cluster.restore()
    assert mended.returncode == 0, mended.stderr
    tidy(cluster)


def tidy(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node.run(["find", "/var/lib", "-maxdepth", "1", "-name", "mysql.*", "-exec", "rm", "-rf", "{}", "+"])


@contextlib.contextmanager
def receipt_says(cluster: Cluster, **values: Any) -> Iterator[None]:
    """The receipt with other values, put back afterwards."""
    path = cluster.path("receipt.json")
    content = path.read_text()
    path.write_text(json.dumps({**json.loads(content), **values}))
    try:
        yield
    finally:
        path.write_text(content)


def refused(cluster: Cluster, *sentences: str) -> None:
    """Exit code 3 with these words, and no server was touched."""
    servers = cluster.servers()
    ran = cluster.restore()
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stderr
    for sentence in sentences:
        assert sentence in ran.stderr.strip().splitlines()[-1]
    assert cluster.servers() == servers


def last_run(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.run("status", "-o", "json").stdout)
    return found


def test_destroyed_cluster_is_whole_again(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node.run(["systemctl", "stop", "mariadb"])
        node.run(["rm", "-rf", DATADIR])
    ran = cluster.restore()
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


def test_cluster_that_went_on_is_put_back_and_its_data_kept(cluster: Cluster) -> None:
    cluster.ask(cluster.nodes[1], "INSERT INTO nova.key_pairs (name, user_id) VALUES ('written since', 'x')")
    cluster.ask(cluster.nodes[2], "CREATE DATABASE made_since")
    ran = cluster.restore("-o", "json")
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()
    document = json.loads(ran.stdout)
    for node in cluster.nodes:
        assert (node.root / f"var/lib/mysql.before-{document['run']}/made_since").is_dir()
    # Nodes that join need no copy of the data.
    joins = [step for step in document["steps"] if step["id"].startswith("restore-join")]
    assert [reply["value"]["transfer"] for step in joins for reply in step["replies"].values()] == ["IST", "IST"]


def test_placed_backup_is_used_and_says_what_it_needs(cluster: Cluster) -> None:
    placed = cluster.run("backup", "place", cluster.receipt)
    assert placed.returncode == 0, placed.stderr
    assert "MB needed for the prepared copy" in placed.stderr
    assert all(f"mysql.prepared-{cluster.receipt}" in names for names in cluster.folders())
    ran = cluster.restore()
    assert ran.returncode == 0, ran.stderr
    assert "is there already" in ran.stderr
    cluster.assert_restored()


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("restore-place", marks=pytest.mark.soak),
        pytest.param("restore-stop", marks=pytest.mark.soak),
        "restore-swap",
        pytest.param("restore-found", marks=pytest.mark.soak),
        pytest.param("restore-join-dbs02", marks=pytest.mark.soak),
    ],
)
def test_killed_command_goes_on_where_it_was(cluster: Cluster, step: str) -> None:
    words = ("backup", "restore", cluster.receipt, "--yes", "--restart")
    assert cluster.rehearsal.kill_at(words, step, "step-submitted", 0.1)
    ran = cluster.run("resume")
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


@pytest.mark.parametrize("step", [pytest.param("restore-swap", marks=pytest.mark.soak), "restore-found"])
def test_minion_that_is_killed_too_goes_on(cluster: Cluster, step: str) -> None:
    """Nobody is left who knows: the step looks at the folders and at the server, and does what is left."""
    words = ("backup", "restore", cluster.receipt, "--yes", "--restart")
    assert cluster.rehearsal.kill_at(words, step, "step-submitted", 0.05)
    for node in cluster.nodes:
        node.run(["systemctl", "kill", "--signal=SIGKILL", "salt-minion"], check=False)
        node.run(["systemctl", "restart", "salt-minion"])
    wait_for_minions(cluster)
    ran = cluster.run("resume")
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


def wait_for_minions(cluster: Cluster) -> None:
    from upgrader.lab.machine.process import wait_until

    command = ["salt", "--out=txt", "-t", "3", "dbs*", "test.ping"]
    wait_until(lambda: cluster.cfg.run(command, check=False).stdout.count("True") == 3, 360, "three minions")


@contextlib.contextmanager
def cut_off(node: Node, others: Sequence[Node]) -> Iterator[None]:
    """The node reaches no other database node; Salt still reaches it."""
    for other in others:
        node.run(["ip", "route", "add", "blackhole", f"{other.plan.address}/32"])
    try:
        yield
    finally:
        for other in others:
            node.run(["ip", "route", "del", "blackhole", f"{other.plan.address}/32"], check=False)


def test_node_that_cannot_join_leaves_the_others_serving(cluster: Cluster) -> None:
    first, second, third = cluster.nodes
    with cut_off(third, (first, second)):
        ran = cluster.restore()
        assert ran.returncode == 1, ran.stderr
        last = ran.stderr.strip().splitlines()[-1]
        assert "restore-join-dbs03" in last
        assert "dbs03.lab.local does not join the cluster" in last
        assert "failed to reach primary view" in last
        assert "journalctl -u mariadb" in last
        verify = next(step for step in last_run(cluster)["steps"] if step["id"] == "restore-verify")
        assert "dbs03.lab.local does not serve" in verify["reason"]
        for node in (first, second):
            assert cluster.status(node, "cluster_size") == "2"
            assert cluster.checksums(node) == cluster.before
    again = cluster.run("resume")
    assert again.returncode == 0, again.stderr
    cluster.assert_restored()


def test_rows_written_before_the_end_are_told_from_the_backup(cluster: Cluster) -> None:
    """The judgement can fail: a client that writes as soon as the first node serves is seen on every node."""
    words = ("backup", "restore", cluster.receipt, "--yes", "--restart")
    assert cluster.rehearsal.kill_at(words, "restore-found", "step-finished")
    cluster.ask(cluster.nodes[0], "INSERT INTO nova.key_pairs (name, user_id) VALUES ('too early', 'x')")
    ran = cluster.run("resume")
    assert ran.returncode == 1, ran.stderr
    last = ran.stderr.strip().splitlines()[-1]
    for name in NAMES:
        assert f"{name}.lab.local differs from backup {cluster.receipt}" in last
    assert re.search(r"nova\.key_pairs has \d+ rows, not \d+", last)


def test_no_cluster_is_founded_beside_another(cluster: Cluster) -> None:
    """Something answers on a member's port after all servers were stopped: an arbitrator, or a server nobody knows of."""
    second = cluster.nodes[1]
    for node in cluster.nodes:
        node.run(["systemctl", "stop", "mariadb"])
    listener = "import socket, time; s = socket.create_server(('', 4567)); time.sleep(600)"
    second.run(["systemd-run", "--unit=arbitrator", "python3", "-c", listener])
    listens = ["ss", "-Hltn", "sport", "=", ":4567"]
    wait_until(lambda: "4567" in second.run(listens).stdout, 120, "the arbitrator", lambda: "nobody listens")
    ran = cluster.restore()
    second.run(["systemctl", "stop", "arbitrator"])
    assert ran.returncode == 1, ran.stderr
    assert "a Galera process answers on 10.20.0.22:4567" in ran.stderr
    assert cluster.run("resume").returncode == 0
    cluster.assert_restored()


def test_cluster_that_was_founded_anew_takes_the_backup_only_when_asked_to(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node.run(["systemctl", "stop", "mariadb"])
        node.run(["rm", "-rf", DATADIR])
    first = cluster.nodes[0]
    first.run(["mariadb-install-db", "--user=mysql", "--skip-test-db"])
    first.run(["galera_new_cluster"])
    ran = cluster.restore()
    assert ran.returncode == 3, ran.stderr
    assert "dbs01.lab.local belongs to cluster" in ran.stderr
    ran = cluster.restore("--another-cluster")
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


def test_datadir_that_is_a_mount_point_is_refused(cluster: Cluster) -> None:
    third = cluster.nodes[2]
    third.run(["mount", "--bind", DATADIR, DATADIR])
    try:
        refused(cluster, "dbs03.lab.local cannot rename /var/lib/mysql: it is a mount point", "one folder higher")
    finally:
        third.run(["umount", DATADIR])


def test_empty_cluster_address_in_an_option_file_is_refused(cluster: Cluster) -> None:
    left_over = cluster.nodes[1].root / "etc/mysql/mariadb.conf.d/99-left-over.cnf"
    left_over.write_text("[mysqld]\nwsrep_cluster_address = gcomm://\n")
    try:
        refused(cluster, "dbs02.lab.local has the cluster address 'gcomm://'", "second cluster")
    finally:
        left_over.unlink()


def test_dry_run_names_every_path_and_changes_nothing(cluster: Cluster) -> None:
    folders, servers, journals = cluster.folders(), cluster.servers(), cluster.rehearsal.journals()
    ran = cluster.run("backup", "restore", cluster.receipt, "--dry-run")
    assert ran.returncode == 0, ran.stderr
    for name in NAMES:
        assert f"{name}.lab.local:" in ran.stdout
    assert f"rename {DATADIR} to {DATADIR}.before-RUN" in ran.stdout
    assert f"into {DATADIR}.prepared-{cluster.receipt}" in ran.stdout
    assert (cluster.folders(), cluster.servers(), cluster.rehearsal.journals()) == (folders, servers, journals)


def test_restore_without_terminal_or_yes_is_usage(cluster: Cluster) -> None:
    ran = cluster.run("backup", "restore", cluster.receipt)
    assert ran.returncode == 2
    assert "--yes" in ran.stderr


def test_backup_of_another_cluster_is_refused(cluster: Cluster) -> None:
    galera = json.loads(cluster.path("receipt.json").read_text())["galera"]
    other = {**galera, "uuid": "11111111-2222-3333-4444-555555555555"}
    with receipt_says(cluster, galera=other):
        refused(cluster, "belongs to cluster", "--another-cluster")


@pytest.mark.soak
def test_backup_of_another_cloud_is_refused(cluster: Cluster) -> None:
    with receipt_says(cluster, cloud="prague"):
        refused(cluster, "is of cloud prague")


@pytest.mark.soak
def test_unproven_backup_is_refused(cluster: Cluster) -> None:
    with receipt_says(cluster, proven=False):
        refused(cluster, "was never proven", "backup prove")


def test_unknown_backup_is_refused(cluster: Cluster) -> None:
    ran = cluster.run("backup", "restore", "latest", "--yes", "--restart")
    assert ran.returncode == 3
    assert "no backup latest" in ran.stderr


def test_backup_of_another_server_version_is_refused(cluster: Cluster) -> None:
    with receipt_says(cluster, server_version="10.6.18-MariaDB"):
        refused(cluster, "has database server 10.11", "is of 10.6.18-MariaDB", "install server series 10.6")


def test_too_little_room_is_refused_with_both_numbers(cluster: Cluster) -> None:
    with receipt_says(cluster, data_bytes=10**15):
        refused(cluster, "MB free beside /var/lib/mysql", "needs 1050000536 MB")


def test_flipped_bit_is_refused_before_anything_stops(cluster: Cluster) -> None:
    path = cluster.path("archive.zst")
    content = path.read_bytes()
    path.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    try:
        refused(cluster, "sha256")
    finally:
        path.write_bytes(content)


def test_list_verify_and_prune_know_the_backup(cluster: Cluster) -> None:
    listed = json.loads(cluster.run("backup", "list", "-o", "json").stdout)
    assert [backup["id"] for backup in listed["backups"]][-1] == cluster.receipt
    assert cluster.run("backup", "verify", cluster.receipt).returncode == 0
    assert cluster.run("backup", "verify", "nonsense").returncode == 3
    pruned = json.loads(cluster.run("backup", "prune", "--keep", "1", "--dry-run", "-o", "json").stdout)
    assert cluster.receipt in pruned["kept"]
    assert cluster.receipt in pruned["protected"]
