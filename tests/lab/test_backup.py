"""Backups and clones on a real cluster that is disturbed: a clear error, nothing lost, and a second try that succeeds."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.support.rehearsal import STAGE, Rehearsal
from upgrader.lab import Lab
from upgrader.lab.machine.node import Node
from upgrader.lab.machine.process import wait_until

CREATE = ("backup", "create")
STORE = Path("srv/backup/upgrader")
TOOL = "/usr/bin/mariadb-backup"
KEY = (
    "-i",
    "/etc/upgrader/backup_key",
    "-o",
    "UserKnownHostsFile=/etc/upgrader/backup_known_hosts",
    "-o",
    "BatchMode=yes",
)


GIVEN_BACK = {
    "wsrep_desync": "OFF",
    "innodb_max_dirty_pages_pct": "90.000000",
    "innodb_io_capacity": "200",
    "innodb_io_capacity_max": "2000",
}


@pytest.fixture(scope="module")
def rehearsal(lab: Lab) -> Rehearsal:
    return Rehearsal(lab)


@pytest.fixture(autouse=True)
def _nothing_is_lost(rehearsal: Rehearsal) -> Iterator[None]:
    """Sources as before, on every node, all of them synced and taking part in flow control.

    A node's job goes on when the command is killed, and gives back at its end what it has borrowed.
    """
    before = rehearsal.checksums()
    yield
    rehearsal.lab.up()
    for node in rehearsal.databases:
        wait_until(lambda node=node: state(rehearsal, node) == ("Synced", "3"), 240, f"{node.name} to be synced")  # type: ignore[misc]
        for name, value in GIVEN_BACK.items():
            wait_until(
                lambda node=node, name=name, value=value: variable(rehearsal, node, name) == value,  # type: ignore[misc]
                120,
                f"{name} of {node.name} to be {value} again",
            )
    assert rehearsal.checksums() == before


def ask(rehearsal: Rehearsal, node: Node, statement: str) -> list[Any]:
    with contextlib.closing(rehearsal.connect(node)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def variable(rehearsal: Rehearsal, node: Node, name: str) -> str:
    return str(ask(rehearsal, node, f"SHOW GLOBAL VARIABLES LIKE '{name}'")[0][1])


def state(rehearsal: Rehearsal, node: Node) -> tuple[str, ...]:
    names = ("wsrep_local_state_comment", "wsrep_cluster_size")
    try:
        return tuple(str(ask(rehearsal, node, f"SHOW STATUS LIKE '{name}'")[0][1]) for name in names)
    except (pymysql.err.OperationalError, OSError):
        return ()


@contextlib.contextmanager
def slow_tool(rehearsal: Rehearsal) -> Iterator[None]:
    """The real backup tool on every node, with a pause in the middle of what it sends."""
    script = f'#!/bin/bash\nset -o pipefail\n[ "$1" = --version ] && exec {TOOL} --version\n'
    script += f'{TOOL} "$@" | (head -c 300000; sleep 20; cat)\n'
    paths = [node.root / "usr/local/sbin/mariadb-backup" for node in rehearsal.databases]
    for path in paths:
        path.write_text(script)
        path.chmod(0o755)
    try:
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def newest(rehearsal: Rehearsal) -> Path:
    return rehearsal.cfg.root / STORE / rehearsal.journals()[-1].stem


def donor(rehearsal: Rehearsal) -> Node:
    """The node that the journal says was asked."""
    started = [row for row in rehearsal.journal() if row["event"] == "step-started" and row["step"] == "backup-create"]
    return rehearsal.lab.node(started[-1]["nodes"][0])


def in_the_middle(rehearsal: Rehearsal, process: subprocess.Popen[bytes]) -> Node:
    """Returns the donor when some of the backup has arrived in the store and more is to come."""
    assert rehearsal.wait_for_event("backup-create", "step-submitted", process)
    partial = newest(rehearsal) / "archive.partial"
    wait_until(lambda: partial.exists(), 120, "the backup to begin")
    node = donor(rehearsal)
    wait_until(lambda: pids(node, "sleep 20") != [], 120, "the tool to be in the middle")
    return node


def pids(node: Node, pattern: str) -> list[str]:
    return node.run(["pgrep", "-f", "-x" if pattern.startswith("sleep") else "-n", pattern], check=False).stdout.split()


def kill_tool(rehearsal: Rehearsal, node: Node) -> None:
    node.run(["pkill", "-KILL", "-f", f"^{TOOL} --"])


def cut_connection(rehearsal: Rehearsal, node: Node) -> None:
    rehearsal.cfg.run(["pkill", "-KILL", "-f", "upgrader-receive"])


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        pytest.param(kill_tool, "backup not taken: mariadb-backup", marks=pytest.mark.soak),
        (cut_connection, "backup not taken: ssh ended with exit code"),
    ],
    ids=["tool killed", "connection cut"],
)
def test_backup_broken_in_the_middle_is_no_backup_and_resume_takes_it_anew(
    rehearsal: Rehearsal, break_it: Callable[[Rehearsal, Node], None], sentence: str
) -> None:
    with slow_tool(rehearsal), rehearsal.started(*CREATE) as process:
        node = in_the_middle(rehearsal, process)
        assert variable(rehearsal, node, "wsrep_desync") == "ON"
        assert [variable(rehearsal, other, "wsrep_desync") for other in rehearsal.databases].count("ON") == 1
        break_it(rehearsal, node)
        assert process.wait(timeout=600) == 1
    assert sentence in rehearsal.run("status").stdout.splitlines()[0]
    assert not (newest(rehearsal) / "receipt.json").exists()
    assert not (newest(rehearsal) / "archive.zst").exists()
    assert variable(rehearsal, node, "wsrep_desync") == "OFF"
    ran = rehearsal.run("resume")
    assert ran.returncode == 0, ran.stderr
    assert json.loads((newest(rehearsal) / "receipt.json").read_text())["proven"]


@pytest.mark.soak
def test_donor_that_dies_during_the_backup_is_named_and_the_cluster_serves_on(rehearsal: Rehearsal) -> None:
    with slow_tool(rehearsal), rehearsal.started(*CREATE) as process:
        node = in_the_middle(rehearsal, process)
        node.end()
        others = [other for other in rehearsal.databases if other.name != node.name]
        wait_until(lambda: state(rehearsal, others[0]) == ("Synced", "2"), 240, "the others to go on without it")
        assert process.wait(timeout=600) == 4
    sentence = rehearsal.run("status").stdout.splitlines()[0]
    assert f"at step backup-create, which is in doubt: {node.name}.lab.local does not answer" in sentence
    assert not (newest(rehearsal) / "receipt.json").exists()
    assert rehearsal.run("resume").returncode in (3, 4)
    rehearsal.lab.up()
    ran = rehearsal.run("resume")
    assert ran.returncode == 0, ran.stderr
    assert json.loads((newest(rehearsal) / "receipt.json").read_text())["proven"]


def test_backup_job_killed_with_its_minion_gives_the_desync_back_later(rehearsal: Rehearsal) -> None:
    with slow_tool(rehearsal), rehearsal.started(*CREATE) as process:
        node = in_the_middle(rehearsal, process)
        node.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=all", "salt-minion"])
        assert process.wait(timeout=600) == 4
        assert variable(rehearsal, node, "wsrep_desync") == "ON"
        node.run(["systemctl", "restart", "salt-minion"])
    rehearsal.wait_for_minions()
    ran = rehearsal.run("resume")
    assert ran.returncode == 0, ran.stderr


def test_backup_taken_while_rows_are_written_is_whole_at_its_seqno(rehearsal: Rehearsal) -> None:
    """One row a commit, so the rows that the backup holds must be the first N without a gap."""
    done = threading.Event()
    writer = threading.Thread(target=write_rows, args=(rehearsal, done))
    writer.start()
    try:
        time.sleep(1)
        ran = rehearsal.run(*CREATE)
    finally:
        done.set()
        writer.join()
    try:
        assert ran.returncode == 0, ran.stderr
        held = json.loads((newest(rehearsal) / "contents.json").read_text())["databases"]["written"]["t"]["rows"]
        assert 0 < held < int(ask(rehearsal, rehearsal.dbs, "SELECT COUNT(*) FROM written.t")[0][0])
        first = ask(rehearsal, rehearsal.dbs, f"CREATE TABLE written.first SELECT * FROM written.t WHERE id <= {held}")
        assert first == []
        ask(rehearsal, rehearsal.dbs, "ALTER TABLE written.first MODIFY id INT NOT NULL PRIMARY KEY")
        counted = ask(rehearsal, rehearsal.dbs, "SELECT COUNT(*), MAX(id) FROM written.first")[0]
        assert counted == (held, held)
    finally:
        ask(rehearsal, rehearsal.dbs, "DROP DATABASE written")


def write_rows(rehearsal: Rehearsal, done: threading.Event) -> None:
    with contextlib.closing(rehearsal.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS written")
        cursor.execute("CREATE TABLE written.t (id INT NOT NULL PRIMARY KEY, word VARCHAR(20)) ENGINE=InnoDB")
        number = 0
        while not done.is_set():
            number += 1
            cursor.execute("INSERT INTO written.t VALUES (%s, 'w')", (number,))


def damage_by_truncation(archive: Path) -> None:
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size - 1)


def damage_by_one_bit(archive: Path) -> None:
    with archive.open("r+b") as file:
        file.seek(archive.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(damage_by_truncation, "bytes, its receipt says", marks=pytest.mark.soak),
        (damage_by_one_bit, "it was changed since"),
    ],
    ids=["truncated", "one bit"],
)
def test_archive_that_was_damaged_in_the_store_is_never_proven(
    rehearsal: Rehearsal, damage: Callable[[Path], None], sentence: str
) -> None:
    assert rehearsal.kill_at(CREATE, "backup-prove", "step-started")
    damage(newest(rehearsal) / "archive.zst")
    ran = rehearsal.run("resume")
    assert ran.returncode == 1
    assert sentence in ran.stderr.strip().splitlines()[-1]
    assert json.loads((newest(rehearsal) / "receipt.json").read_text())["proven"] is False
    verified = rehearsal.run("backup", "verify", newest(rehearsal).name)
    assert verified.returncode == 3
    assert sentence in verified.stderr


def test_missing_backup_tool_is_a_gate(rehearsal: Rehearsal) -> None:
    node = rehearsal.databases[1]
    for name in ("mariadb-backup", "mariabackup"):
        node.run(["mv", f"/usr/bin/{name}", f"/usr/bin/{name}.away"])
    try:
        ran = rehearsal.run(*CREATE)
    finally:
        for name in ("mariadb-backup", "mariabackup"):
            node.run(["mv", f"/usr/bin/{name}.away", f"/usr/bin/{name}"])
    assert ran.returncode == 3
    last = ran.stderr.strip().splitlines()[-1]
    assert "at step backup-tool" in last
    assert "dbs02.lab.local: no backup tool on this node: install mariadb-backup" in last


@pytest.mark.soak
def test_backup_tool_of_another_series_is_a_gate(rehearsal: Rehearsal) -> None:
    path = rehearsal.databases[0].root / "usr/local/sbin/mariadb-backup"
    path.write_text("#!/bin/sh\necho 'mariadb-backup based on MariaDB server 10.6.12-MariaDB' >&2\n")
    path.chmod(0o755)
    try:
        ran = rehearsal.run(*CREATE)
    finally:
        path.unlink()
    assert ran.returncode == 3
    assert "(mariabackup 10.6) does not belong to server 10.11" in ran.stderr.strip().splitlines()[-1]


@pytest.mark.soak
def test_cluster_that_is_not_whole_is_a_gate(rehearsal: Rehearsal) -> None:
    node = rehearsal.databases[2]
    node.run(["systemctl", "stop", "mariadb"])
    try:
        ran = rehearsal.run(*CREATE)
    finally:
        node.run(["systemctl", "start", "mariadb"])
    assert ran.returncode == 3
    last = ran.stderr.strip().splitlines()[-1]
    assert "at step cluster-state" in last
    assert "sees 2 members, the model has 3" in last


@pytest.mark.soak
def test_node_that_dies_while_it_is_filled_leaves_no_half_clone_behind(rehearsal: Rehearsal) -> None:
    with rehearsal.started(*STAGE, "--restart") as process:
        assert rehearsal.wait_for_event("clone-load", "step-submitted", process)
        time.sleep(0.7)
        rehearsal.databases[1].end()
        assert process.wait(timeout=600) == 4
    sentence = rehearsal.run("status").stdout.splitlines()[0]
    assert "at step clone-load, which is in doubt: dbs02.lab.local does not answer" in sentence
    rehearsal.lab.up()
    ran = rehearsal.run("resume")
    assert ran.returncode == 0, ran.stderr
    rows = [ask(rehearsal, node, "CHECKSUM TABLE nova_upgrade.instances EXTENDED") for node in rehearsal.databases]
    assert rows[0] == rows[1] == rows[2] != []


def test_everything_in_the_store_is_private(rehearsal: Rehearsal) -> None:
    assert rehearsal.kill_at((*STAGE, "--restart"), "clone-load", "step-started")
    assert (newest(rehearsal) / "export/nova.tar.zst").exists()
    modes = rehearsal.cfg.run(["find", f"/{STORE}", "-type", "f", "-perm", "/077"]).stdout.split()
    assert [path for path in modes if "/scratch/" not in path] == []
    assert rehearsal.cfg.run(["stat", "-c", "%a %U", f"/{STORE}"]).stdout.split() == ["700", "upgrader-backup"]
    for node in rehearsal.databases:
        assert node.run(["stat", "-c", "%a", "/etc/upgrader/backup_key"]).stdout.strip() == "600"


@pytest.mark.parametrize(
    "words",
    [("id",), ("cat", "/etc/shadow"), ("receive", "../x"), ("rm", "-rf", "/"), ()],
    ids=["command", "file", "outside the store", "destruction", "shell"],
)
def test_backup_node_accepts_only_what_it_must(rehearsal: Rehearsal, words: tuple[str, ...]) -> None:
    ran = rehearsal.dbs.run(["ssh", *KEY, "upgrader-backup@cfg01.lab.local", *words], check=False)
    assert ran.returncode == 1
    assert "this key may only store a backup, or read a backup of this store" in ran.stderr
    assert ran.stdout == ""


def test_backup_node_forwards_nothing(rehearsal: Rehearsal) -> None:
    ran = rehearsal.dbs.run(
        ["ssh", *KEY, "-W", "127.0.0.1:4505", "upgrader-backup@cfg01.lab.local"], check=False, timeout=30
    )
    assert ran.returncode != 0
    assert "administratively prohibited" in ran.stderr
